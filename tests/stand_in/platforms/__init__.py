"""Stands in for the platforms, with answers of their shapes."""
