"""Serves MCP: both protocol eras of Streamable HTTP, with and without sessions, and the legacy SSE transport."""
