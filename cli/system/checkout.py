"""The checkout that the command works in."""

from pathlib import Path

#: The folder of the repository, with the stacks' files.
ROOT = Path(__file__).resolve().parents[2]
