"""Describes how accounts are logged in by QR code."""
