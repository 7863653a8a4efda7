"""Assembles services that read a website in a browser: their parts, their login tools, and their short links."""
