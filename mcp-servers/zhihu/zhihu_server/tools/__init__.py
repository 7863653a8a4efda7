"""Declares what agents and users see: tools and prompts."""
