"""Decides what the parts of a stack are: containers, networks, mounts, limits, probes, published ports, data volumes.

Nothing here knows how an engine makes them; that is in infra.components.
"""
