"""Tells uv, which locks Python packages, what this machine uses: its mirror and its certificates."""

from __future__ import annotations

import os
import sys

from toolchain import proxies
from toolchain.mirrors import Mirrors

COMMAND = (sys.executable, "-m", "uv")


def uv_environment() -> dict[str, str]:
    """Return the environment for uv: the index of this machine's mirrors, and the certificates to trust."""
    mirrors = Mirrors.from_environment()
    environment = proxies.for_python(os.environ)
    if mirrors.pip_index_url:
        environment["UV_DEFAULT_INDEX"] = mirrors.pip_index_url
    if mirrors.ca_bundle:
        environment["SSL_CERT_FILE"] = str(mirrors.ca_bundle)
    return environment
