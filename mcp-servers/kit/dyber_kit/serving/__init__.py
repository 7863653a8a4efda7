"""The application around the tools of a service: MCP and REST addresses, documentation, start and stop."""
