"""Logs accounts in by QR code, and reports whether they are logged in."""
