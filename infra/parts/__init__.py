"""Decides what the parts of a stack are: containers, networks, mounts, limits, probes, published ports, data volumes.

How an engine makes them is in infra.components.
"""
