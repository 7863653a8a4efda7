"""The pulumi command, its plugins and its backend on this machine."""
