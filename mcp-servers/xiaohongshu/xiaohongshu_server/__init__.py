"""Xiaohongshu MCP service: reads public notes through one headless Chromium."""
