"""Calls tools as the client `console`, through the gateway, with the official MCP SDK."""
