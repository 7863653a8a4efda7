"""Stands in for douyin.com."""
