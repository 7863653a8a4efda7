"""Lets in only the administrator: the password, sessions, tries, and the checks and headers of every request."""
