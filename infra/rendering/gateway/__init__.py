"""Renders the gateway's configuration from a stack's settings, its services and its clients."""
