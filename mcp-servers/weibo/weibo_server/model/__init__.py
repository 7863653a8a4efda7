"""Defines the answers, and reads what callers write to name posts and users."""
