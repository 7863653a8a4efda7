"""Figures about a sample of notes."""
