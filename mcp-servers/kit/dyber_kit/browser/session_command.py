"""Lets operators import, show and delete the sessions of a service from the command line.

Cookies are read from standard input, so that they appear in no command line and no shell history; only their names are
printed. The running service notices the change by itself.
"""

from __future__ import annotations

import argparse
import codecs
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from dyber_kit.browser.cookies.imports import import_cookies
from dyber_kit.browser.platform_settings import PlatformSettings
from dyber_kit.browser.platforms import Platform
from dyber_kit.browser.sessions import DEFAULT_ACCOUNT, SessionStore
from dyber_kit.errors import ServiceError
from dyber_kit.language import joined_names, tr
from dyber_kit.settings import Settings

ReadSettings = Callable[[Path | None], PlatformSettings]


def manage_sessions(
    platform: Platform, read_settings: ReadSettings, module: str, arguments: list[str] | None = None
) -> int:
    """Run the command line of a service's sessions.

    Args:
        platform: The platform, with its domains and its login cookie.
        read_settings: Returns the settings for a data folder.
        module: The module that people run: `python -m <module> import < export.json`.
        arguments: The command line's arguments; None for those of this process.

    Returns:
        The exit code: 1 after an error, which is printed on standard error, and 2 after wrong usage.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=__doc__)
    parser.add_argument("action", choices=["import", "show", "delete"])
    parser.add_argument("--account", default="", help="an account's name; default: the first")
    options = parser.parse_args(arguments)
    try:
        print(_run(platform, read_settings, options.action, options.account, Settings.from_environment()))
    except (ServiceError, ValueError, OSError) as error:
        print(error.text if isinstance(error, ServiceError) else error, file=sys.stderr)
        return 1
    return 0


def _run(platform: Platform, read_settings: ReadSettings, action: str, account: str, settings: Settings) -> str:
    """Perform the action and return a message about it. Raises ServiceError, ValueError or OSError."""
    if settings.data_dir is None:
        raise ValueError(tr("DYBER_DATA is not set, so there is no place to keep sessions"))
    site = read_settings(settings.data_dir)
    account = account or site.accounts[0]
    if account not in site.accounts:
        raise ValueError(
            tr(
                "There is no account {name}; accounts (environment variable {variable}): {names}",
                name=account,
                variable=f"{site.PREFIX}_ACCOUNTS",
                names=joined_names(site.accounts),
            )
        )
    store = SessionStore(settings.data_dir)
    stored_name = DEFAULT_ACCOUNT if account == site.accounts[0] else account
    if action == "import":
        base_host = urlsplit(site.base_url).hostname or ""
        imported = import_cookies(_standard_input(), [*platform.domains, base_host], platform.login_cookie)
        if not imported.logged_in and _has_login(store, stored_name, platform.login_cookie):
            raise ValueError(
                tr(
                    "{warning}. The account {account} has a session, which was not replaced; to replace it, delete it "
                    "first",
                    warning=imported.warnings[0],
                    account=account,
                )
            )
        store.write(imported.state, stored_name)
        message = tr("imported {names} (form: {form})", names=_names(store, stored_name), form=imported.form)
        lines = [_of_account(account, message), *(tr("Note: {warnings}", warnings=text) for text in imported.warnings)]
        return "\n".join(lines)
    if action == "delete":
        deleted = store.delete(stored_name)
        return _of_account(account, tr("the session was deleted") if deleted else tr("there was no session"))
    return _of_account(account, _names(store, stored_name) or tr("there is no session"))


def _of_account(account: str, message: str) -> str:
    return tr("Account {account}: {message}", account=account, message=message)


def _names(store: SessionStore, stored_name: str) -> str:
    return joined_names(store.cookie_names(stored_name))


def _standard_input() -> str:
    """Read standard input as UTF-8, or as UTF-16 with a byte order mark, as PowerShell writes. Raises ValueError."""
    binary = getattr(sys.stdin, "buffer", None)
    if binary is None:
        return sys.stdin.read()
    content: bytes = binary.read()
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(
            tr("Standard input is not UTF-8 text: save the export as a UTF-8 file, then import it")
        ) from None


def _has_login(store: SessionStore, stored_name: str, login_cookie: str | None) -> bool:
    try:
        return login_cookie in store.cookie_names(stored_name)
    except ServiceError:
        return False  # A damaged session cannot be logged in.
