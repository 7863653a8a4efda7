"""This package reads platforms over HTTP: it paces requests, pauses after refusals, and caches and cleans answers."""
