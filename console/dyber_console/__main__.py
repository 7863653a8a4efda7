"""Runs the console: `python -m dyber_console`, with the settings from environment variables."""

from __future__ import annotations

import logging
import sqlite3
import sys

import uvicorn

from dyber_console.app import build_app
from dyber_console.settings import Settings
from dyber_console.state import Console


def main() -> int:
    """Run the console until it is stopped; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("mcp").setLevel(logging.ERROR)
    try:
        settings = Settings.from_environment()
        console = Console.create(settings)
    except (ValueError, OSError, sqlite3.Error) as error:
        print(f"dyber_console: {error}", file=sys.stderr)
        return 2
    uvicorn.run(
        build_app(console),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    console.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
