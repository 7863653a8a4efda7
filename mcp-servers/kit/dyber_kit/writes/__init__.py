"""This package carries out writes: a dry run, the user's confirmation, the submit, and a line in the log."""
