"""Serves a foreign server: `python -m dyber_kit.bridge`."""

from __future__ import annotations

import sys

from dyber_kit.bridge.app import build_app
from dyber_kit.serving.server import run_built

if __name__ == "__main__":
    sys.exit(run_built(build_app))
