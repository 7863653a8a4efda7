"""Reads the pages of the site in a browser."""
