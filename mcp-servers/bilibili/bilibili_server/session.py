"""Lets operators manage sessions: `python -m bilibili_server.session import < export.json`."""

from __future__ import annotations

import sys

from dyber_kit.browser.session_command import manage_sessions

from bilibili_server.browsing.platform import PLATFORM
from bilibili_server.config import SiteSettings


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return manage_sessions(PLATFORM, SiteSettings.from_environment, "bilibili_server.session", arguments)


if __name__ == "__main__":
    sys.exit(main())
