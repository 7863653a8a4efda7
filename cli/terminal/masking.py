"""What is hidden of a value that is, or may be, a secret."""

import re

HIDDEN = "•••"
#: Names of settings and environment variables whose values are not shown.
SECRET_NAME = re.compile(r"token|secret|password|passwd|cookie|credential|private|api_?key", re.IGNORECASE)
