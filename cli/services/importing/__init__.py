"""Reads how users describe a foreign MCP server, and says what to make a service from.

Descriptions are configurations of MCP clients, command lines, entries of the MCP registry, and words such as
`npm:NAME`. Nothing here asks a network, starts a program or writes a file.
"""
