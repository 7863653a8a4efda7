"""Writes to GitHub: opens issues, and comments on issues and pull requests."""
