"""Holds the Pulumi program and its model: settings, services, configurations, parts and components."""
