"""Implements the template service: four example tools from which new services are made."""
