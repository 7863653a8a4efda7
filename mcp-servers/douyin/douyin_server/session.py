"""Lets operators manage sessions: `python -m douyin_server.session import < export.json`."""

from __future__ import annotations

import sys

from dyber_kit.browser.session_command import manage_sessions

from douyin_server.browsing.platform import PLATFORM
from douyin_server.config import SiteSettings


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return manage_sessions(PLATFORM, SiteSettings.from_environment, "douyin_server.session", arguments)


if __name__ == "__main__":
    sys.exit(main())
