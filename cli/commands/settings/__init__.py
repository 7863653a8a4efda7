"""Commands that change settings, tokens, clients, contracts of tools and services."""
