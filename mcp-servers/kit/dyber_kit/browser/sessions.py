"""Stores logged-in sessions on the data volume, one file per account; cookie values go to a browser only."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.files import set_aside, write_private
from dyber_kit.language import tr_lazy

logger = logging.getLogger("dyber.sessions")

DEFAULT_ACCOUNT = "default"

#: Playwright's storage state: `{"cookies": [...], "origins": [...]}`.
StorageState = dict[str, Any]

_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_FILE = re.compile(r"storage_state(?:\.([A-Za-z0-9][A-Za-z0-9_-]{0,39}))?\.json")


class SessionStore:
    """Stores storage states in `folder`: `storage_state.json`, and `storage_state.<account>.json` for further accounts.

    Files are replaced atomically and have mode 0600. People may also put a file there by hand.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, account: str = DEFAULT_ACCOUNT) -> Path:
        """Return the path of the account's session file.

        Raises:
            ServiceError: INVALID_ARGUMENT when `account` cannot be an account's name.
        """
        if not _ACCOUNT.fullmatch(account):
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("The name of the account is not usable"),
                tr_lazy("Names of accounts have letters, digits, underscores and hyphens, and at most 40 characters"),
            )
        name = "storage_state.json" if account == DEFAULT_ACCOUNT else f"storage_state.{account}.json"
        return self._folder / name

    def accounts(self) -> list[str]:
        """Return the sorted names of the accounts that have a session."""
        if not self._folder.is_dir():
            return []
        names = (_FILE.fullmatch(file.name) for file in self._folder.iterdir() if file.is_file())
        return sorted(match[1] or DEFAULT_ACCOUNT for match in names if match)

    def stamp(self, account: str = DEFAULT_ACCOUNT) -> int | None:
        """Return a number that changes whenever the session does; None without a session."""
        try:
            return self.path(account).stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def read(self, account: str = DEFAULT_ACCOUNT) -> StorageState | None:
        """Return the account's session, or None.

        A damaged file is renamed to `<name>.damaged`, so that a new login is possible.

        Raises:
            ServiceError: LOGIN_REQUIRED when the file is there but cannot be read, or is damaged and cannot be renamed.
        """
        path = self.path(account)
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError:
            raise _unreadable(path) from None
        except ValueError:
            state = None
        if isinstance(state, dict) and isinstance(state.get("cookies"), list):
            return state
        damaged = set_aside(path)
        if damaged is None:
            raise _unreadable(path)
        logger.error("the session file was damaged and renamed; log in again", extra={"file": damaged.name})
        return None

    def write(self, state: StorageState, account: str = DEFAULT_ACCOUNT) -> None:
        """Store the account's session. Raises OSError when the volume cannot be written."""
        write_private(self.path(account), json.dumps(state, ensure_ascii=False).encode())

    def delete(self, account: str = DEFAULT_ACCOUNT) -> bool:
        """Delete the account's session; return False when there was none."""
        try:
            self.path(account).unlink()
        except FileNotFoundError:
            return False
        return True

    def cookie_names(self, account: str = DEFAULT_ACCOUNT) -> list[str]:
        """Return the sorted names, never the values, of the session's cookies. Raises ServiceError like `read`."""
        state = self.read(account) or {"cookies": []}
        return sorted({str(cookie.get("name")) for cookie in state["cookies"] if isinstance(cookie, dict)})


def _unreadable(path: Path) -> ServiceError:
    """Return the error for a session file that may be good but cannot be read now."""
    return ServiceError(
        ErrorCode.LOGIN_REQUIRED,
        tr_lazy("The session file cannot be read"),
        tr_lazy("Log in or import the session again, or delete {file} on the data volume", file=path.name),
    )
