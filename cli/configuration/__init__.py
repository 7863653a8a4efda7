"""Reading and writing a stack's settings."""
