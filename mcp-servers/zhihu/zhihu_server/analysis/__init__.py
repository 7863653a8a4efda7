"""Computes figures about a question."""
