"""This package declares the MCP tools and prompts."""
