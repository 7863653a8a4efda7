"""This package drives Chromium: pages, sessions, cookies and QR codes."""
