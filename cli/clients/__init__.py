"""Makes configurations for MCP clients, and the addresses in them."""
