"""Lets operators manage sessions: `python -m weibo_server.session import < export.json`."""

from __future__ import annotations

import sys

from dyber_kit.browser.session_command import manage_sessions

from weibo_server.browsing.platform import PLATFORM
from weibo_server.config import WeiboSettings


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return manage_sessions(PLATFORM, WeiboSettings.from_environment, "weibo_server.session", arguments)


if __name__ == "__main__":
    sys.exit(main())
