"""Reads GitHub through its API, and through its page of trending repositories."""
