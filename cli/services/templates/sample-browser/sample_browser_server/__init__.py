"""Implements the sample-browser service: tools that read a website in a browser, and log accounts in by QR code."""
