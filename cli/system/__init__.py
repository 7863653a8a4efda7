"""Runs other programs and git, and knows the folder of the checkout."""
