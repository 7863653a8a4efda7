"""Stands in for xiaohongshu.com."""
