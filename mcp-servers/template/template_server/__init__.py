"""Template MCP service: two small tools to copy from."""
