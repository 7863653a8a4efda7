"""Implements the Weibo service: hot lists and search by the official API, posts, comments and users in a browser."""
