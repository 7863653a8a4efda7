"""Computes figures about samples of posts."""
