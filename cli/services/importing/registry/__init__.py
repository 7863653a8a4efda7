"""Reads descriptions of servers in the MCP registry (`server.json`)."""
