"""Builds Pulumi and its plugins from source where release downloads are blocked."""
