"""The container engine: containers, volumes, ports, stored data."""
