"""The connection to the Docker engine, for the program and for the command."""
