"""This package logs accounts in by QR code and tells whether they are logged in."""
