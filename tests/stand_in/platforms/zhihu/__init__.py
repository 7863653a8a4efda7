"""Stands in for zhihu.com."""
