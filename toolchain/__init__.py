"""How Pulumi, its plugins, the container engine and the base images get onto a machine."""
