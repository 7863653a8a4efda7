"""Serves one MCP address for the tools of all services of a stack; calls go to the services through the gateway."""
