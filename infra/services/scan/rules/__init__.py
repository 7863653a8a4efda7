"""Holds the rules of the scan, a module for each kind of trick."""
