"""Configurations for MCP clients and the addresses in them."""
