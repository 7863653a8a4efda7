"""This package defines references, answers and their schemas."""
