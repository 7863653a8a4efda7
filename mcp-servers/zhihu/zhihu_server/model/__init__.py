"""Defines what callers write to name things, and the answers of the tools."""
