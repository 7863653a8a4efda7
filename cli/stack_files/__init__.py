"""Edits and merges stack files without losing comments, and keeps salts out of them."""
