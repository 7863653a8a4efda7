"""Implements the Douyin service: reads the hot list, videos, comments, users and searches; changes nothing."""
