"""Holds the version of the system, which the gateway and the command tell."""

VERSION = "2.0.0"
