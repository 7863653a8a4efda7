"""Renders the configurations of the gateway and of Prometheus as text."""
