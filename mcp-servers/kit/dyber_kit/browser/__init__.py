"""This package reads platforms through Chromium: pages, refusals, accounts, logins, sessions, cookies and QR codes."""
