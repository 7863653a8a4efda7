"""This package reads platforms over HTTP: paced, paused after refusals, cached, as clean text."""
