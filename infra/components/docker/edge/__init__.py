"""Declares what callers reach: the gateway, the fronts that publish its ports, and its certificate."""
