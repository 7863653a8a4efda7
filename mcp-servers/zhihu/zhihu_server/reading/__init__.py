"""Answers the tools from the official API, the pages and the cache."""
