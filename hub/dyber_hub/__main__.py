"""Serves the hub: `python -m dyber_hub`."""

from __future__ import annotations

import sys

from dyber_kit.serving.server import run_built

from dyber_hub.app import build_app


def main() -> int:
    """Serve until SIGTERM; return 2 when the hub cannot be built."""
    return run_built(build_app)


if __name__ == "__main__":
    sys.exit(main())
