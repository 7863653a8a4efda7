"""Serves the tools of a foreign MCP server: a child process that speaks over stdio or HTTP, or a remote address."""
