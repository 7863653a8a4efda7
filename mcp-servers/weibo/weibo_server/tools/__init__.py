"""Declares the MCP tools and prompts."""
