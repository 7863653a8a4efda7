"""Stands in for the platforms in tests: local sites that serve pages and data like the platforms to a real browser."""
