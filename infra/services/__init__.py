"""Describes the services of the repository: their service.yaml, the contracts of their tools, reserved names."""
