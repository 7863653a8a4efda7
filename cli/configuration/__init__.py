"""Reads and writes a stack's settings."""
