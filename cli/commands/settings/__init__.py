"""Commands about a stack's settings: keys, tokens, clients, contracts of tools, services."""
