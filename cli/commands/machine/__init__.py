"""Commands about this machine and this checkout."""
