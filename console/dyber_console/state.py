"""Holds what all pages share: the records, the newest states, the files, and the calls of tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dyber_console.identity.passwords import Password
from dyber_console.identity.sessions import Sessions
from dyber_console.identity.tries import Tries
from dyber_console.intake.board import Board
from dyber_console.intake.files import Files
from dyber_console.intake.live import Live
from dyber_console.intake.otlp_export import Export
from dyber_console.records.calls import Summaries
from dyber_console.records.day import Day
from dyber_console.records.store import FILE_NAME, Store
from dyber_console.settings import Settings
from dyber_console.tools.calling import Tools
from dyber_console.tools.logins import Logins


@dataclass
class Console:
    """Holds the parts of a running console.

    Attributes:
        export: Passes spans on to the user's collector; None without any.
        kept: The newest frame of the pages, with what it was made from and when.
    """

    settings: Settings
    store: Store
    day: Day
    summaries: Summaries
    live: Live
    files: Files
    board: Board
    tools: Tools
    logins: Logins
    password: Password
    sessions: Sessions
    tries: Tries
    export: Export | None = None
    kept: tuple[object, float, Any] | None = None

    @classmethod
    def create(cls, settings: Settings) -> Console:
        """Open the records in the folder of the settings and make all parts.

        Raises:
            OSError, sqlite3.Error: The folder or the file cannot be used.
            ValueError: The password's hash cannot be used.
        """
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        store = Store(settings.data_dir / FILE_NAME, settings.longest_store_mib)
        password = Password(settings.password_hash)
        tools = Tools(settings)
        return cls(
            settings,
            store,
            Day(store),
            Summaries(store),
            Live(),
            Files(settings.files_dir),
            Board(),
            tools,
            Logins(tools),
            password,
            Sessions(store, password.mark),
            Tries(),
            Export(settings.export_endpoint, settings.export_headers, settings.stack)
            if settings.export_endpoint
            else None,
        )
