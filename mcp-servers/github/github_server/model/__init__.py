"""Defines the shapes of GitHub's data, of the answers, and of what callers write to name things."""
