"""Implements the sample-api service: tools that search and read the items of a platform with an HTTP API."""
