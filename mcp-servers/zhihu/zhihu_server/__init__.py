"""Serves Zhihu: by its official API first, and by pages in a browser for what the API does not have."""
