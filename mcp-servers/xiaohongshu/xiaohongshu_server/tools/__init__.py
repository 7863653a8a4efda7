"""This package declares the MCP tools."""
