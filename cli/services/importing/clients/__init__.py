"""Reads the configurations of MCP clients: their formats, their servers, and the fields of each."""
