"""Locates the checkout that the command works in."""

from pathlib import Path

#: The folder of the repository, which has the stack files.
ROOT = Path(__file__).resolve().parents[2]
