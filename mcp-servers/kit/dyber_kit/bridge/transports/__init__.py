"""Carries messages between the bridge and a foreign MCP server."""
