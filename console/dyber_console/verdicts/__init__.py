"""Decides from facts what is well, what heals by itself, and what a person has to do: pure functions."""
