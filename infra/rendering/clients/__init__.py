"""Writes the configurations with which client programs reach a stack."""
