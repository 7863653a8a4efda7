"""Serves the hub: `python -m dyber_hub`."""

from __future__ import annotations

import signal
import sys

from dyber_kit.serving.server import run

from dyber_hub.app import build_app


def main() -> int:
    """Serve until SIGTERM; return 2 when the hub cannot be built."""
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
