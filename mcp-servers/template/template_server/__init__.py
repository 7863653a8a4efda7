"""The template MCP service: four tools to copy from."""
