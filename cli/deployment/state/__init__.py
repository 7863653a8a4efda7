"""Reads, checks and changes the state in which Pulumi records what a stack has."""
