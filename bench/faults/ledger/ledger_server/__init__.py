"""A service that keeps an entry for each call."""
