"""Stand-ins for the platforms, for tests only: local sites that serve the platforms' shapes to a real browser."""
