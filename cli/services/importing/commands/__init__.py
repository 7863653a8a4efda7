"""Understands the command lines that start MCP servers: which package, image or address they mean."""
