"""Serves a foreign server: `python -m dyber_kit.bridge`."""

from __future__ import annotations

import signal
import sys

from dyber_kit.bridge.app import build_app
from dyber_kit.serving.server import run


def main() -> int:
    """Serve until SIGTERM; return 2 when the service cannot be built."""
    try:
        app = build_app()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    # uvicorn repeats the signal that stopped it, which would otherwise end this process as if it had been killed.
    signal.signal(signal.SIGTERM, lambda *_: None)
    run(app)
    return 0


if __name__ == "__main__":
    sys.exit(main())
