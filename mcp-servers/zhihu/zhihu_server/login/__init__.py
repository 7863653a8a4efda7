"""Logs accounts in, and tells the state of the service."""
