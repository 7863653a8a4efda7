"""Logging accounts in by QR code, and telling whether they are logged in."""
