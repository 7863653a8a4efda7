"""Defines how secrets are hidden, and which names mean that a value may be secret."""

import re

HIDDEN = "•••"
#: Matches names of settings and environment variables whose values are not shown.
SECRET_NAME = re.compile(r"token|secret|password|passwd|cookie|credential|private|api_?key", re.IGNORECASE)
