"""A service that stores an entry for each call."""
