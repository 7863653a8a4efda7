"""Access to platforms through Chromium: pages, sessions, cookies, QR codes."""
