"""Implements the Bilibili service: reads videos, comments, subtitles, users and lists through one headless Chromium."""
