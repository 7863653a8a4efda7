"""Lets operators manage sessions: `python -m zhihu_server.session import < export.json`."""

from __future__ import annotations

import sys

from dyber_kit.browser.session_command import manage_sessions

from zhihu_server.browsing.platform import PLATFORM
from zhihu_server.config import ZhihuSettings

MODULE = "zhihu_server.session"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    return manage_sessions(PLATFORM, ZhihuSettings.from_environment, MODULE, arguments)


if __name__ == "__main__":
    sys.exit(main())
