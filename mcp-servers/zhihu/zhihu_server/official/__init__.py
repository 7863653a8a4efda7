"""Asks the official API of Zhihu."""
