"""Stands in for bilibili.com."""
