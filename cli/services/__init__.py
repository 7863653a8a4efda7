"""Creates the folder of a new service, and removes a service with or without its data."""
