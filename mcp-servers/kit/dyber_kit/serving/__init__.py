"""This package serves a service's tools: MCP and REST addresses, documentation, start and stop."""
