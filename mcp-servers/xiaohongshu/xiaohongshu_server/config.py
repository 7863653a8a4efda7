"""Settings of this service, read from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dyber_kit import environment_flag, environment_number

DEFAULT_BASE_URL = "https://www.xiaohongshu.com"


@dataclass(frozen=True)
class SiteSettings:
    """Where the platform is and how the browser runs.

    Attributes:
        base_url: Origin of the site, without a trailing slash (XHS_BASE_URL).
        chromium_path: Chromium's executable (CHROMIUM_PATH).
        chromium_sandbox: Use Chromium's own sandbox (CHROMIUM_SANDBOX). Off by default: it needs user
            namespaces, which container engines deny; the container itself is the boundary.
        page_seconds: Deadline of one page visit, in seconds (XHS_PAGE_SECONDS).
        queue_seconds: Longest wait for the browser before BUSY, in seconds (XHS_QUEUE_SECONDS).
        session_file: Playwright storage state of a logged-in browser, or None without a data folder.
    """

    base_url: str = DEFAULT_BASE_URL
    chromium_path: str = "/usr/bin/chromium"
    chromium_sandbox: bool = False
    page_seconds: float = 40.0
    queue_seconds: float = 15.0
    session_file: Path | None = None

    @classmethod
    def from_environment(cls, data_dir: Path | None) -> SiteSettings:
        """Read the environment.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        base_url = (os.environ.get("XHS_BASE_URL") or DEFAULT_BASE_URL).rstrip("/")
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query:
            raise ValueError(f"环境变量 XHS_BASE_URL 的值 {base_url!r} 无效，应形如 {DEFAULT_BASE_URL}")
        return cls(
            base_url=base_url,
            chromium_path=os.environ.get("CHROMIUM_PATH") or "/usr/bin/chromium",
            chromium_sandbox=environment_flag("CHROMIUM_SANDBOX", False),
            page_seconds=environment_number("XHS_PAGE_SECONDS", 40, 1, 600),
            queue_seconds=environment_number("XHS_QUEUE_SECONDS", 15, 0, 600),
            session_file=data_dir / "storage_state.json" if data_dir else None,
        )
