"""Finds and installs the pulumi command and its plugins, and reads where its backend is."""
