"""Runs the project's tests and checks on this machine, and updates its requirements files."""
