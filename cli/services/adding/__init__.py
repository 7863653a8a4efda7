"""Adds foreign MCP servers as services, and brings them to newer versions.

A service's folder is made beside mcp-servers/ and moved there as a whole once its image was built and has listed its
tools, so that a failure or a Ctrl-C leaves nothing half done.
"""
