"""This package defines what callers send and get: references, filters, texts, answers and their schemas."""
