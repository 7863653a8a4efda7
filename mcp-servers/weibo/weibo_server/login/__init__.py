"""Describes how accounts are logged in by QR code, and reads who is logged in."""
