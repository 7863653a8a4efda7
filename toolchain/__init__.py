"""Installs Pulumi, its plugins, the container engine and the base images on a machine."""
