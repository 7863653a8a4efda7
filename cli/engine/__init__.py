"""Uses the container engine: containers, volumes, images, ports, stored data."""
