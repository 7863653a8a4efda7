"""Stands in for weibo.com."""
