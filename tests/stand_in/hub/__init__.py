"""Stands in for the gateway and the services around a hub under test."""
