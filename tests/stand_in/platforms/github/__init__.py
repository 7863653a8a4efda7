"""Stands in for GitHub."""
