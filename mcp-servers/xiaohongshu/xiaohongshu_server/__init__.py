"""Implements the Xiaohongshu service: reads notes of the site, and writes on it, through one headless Chromium."""
