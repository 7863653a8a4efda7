"""This package reads the site: its share pages over HTTP, and its own pages in the browser."""
