"""Holds the version of the system, which the gateway and the command show."""

VERSION = "2.0.0"
