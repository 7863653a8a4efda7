"""Lets operators manage sessions: `python -m sample_browser_server.session import < export.json`."""

from __future__ import annotations

import sys

from dyber_kit.browser.session_command import manage_sessions

from sample_browser_server.config import SiteSettings
from sample_browser_server.platform import PLATFORM

MODULE = "sample_browser_server.session"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return manage_sessions(PLATFORM, SiteSettings.from_environment, MODULE, arguments)


if __name__ == "__main__":
    sys.exit(main())
