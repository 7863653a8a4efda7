"""Reads Weibo: the official API, and the pages of the site in a browser."""
