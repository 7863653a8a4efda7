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

from dyber_kit.browser.cookies import import_cookies
from dyber_kit.browser.platform_settings import PlatformSettings
from dyber_kit.browser.platforms import Platform
from dyber_kit.browser.sessions import DEFAULT_ACCOUNT, SessionStore
from dyber_kit.errors import ServiceError
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
    """Perform the action and return a message about it, in Chinese. Raises ServiceError, ValueError or OSError."""
    if settings.data_dir is None:
        raise ValueError("没有设置 DYBER_DATA，会话无处保存")
    site = read_settings(settings.data_dir)
    account = account or site.accounts[0]
    if account not in site.accounts:
        known = "、".join(site.accounts)
        raise ValueError(f"没有名为 {account} 的账号，可用：{known}（环境变量 {site.PREFIX}_ACCOUNTS）")
    store = SessionStore(settings.data_dir)
    stored_name = DEFAULT_ACCOUNT if account == site.accounts[0] else account
    if action == "import":
        base_host = urlsplit(site.base_url).hostname or ""
        imported = import_cookies(_standard_input(), [*platform.domains, base_host], platform.login_cookie)
        if not imported.logged_in and _has_login(store, stored_name, platform.login_cookie):
            raise ValueError(f"{imported.warnings[0]}。账号 {account} 已有会话，没有用它替换；确要替换，请先 delete")
        store.write(imported.state, stored_name)
        message = f"账号 {account}：已从{imported.form}导入 {'、'.join(store.cookie_names(stored_name))}"
        return "\n".join([message, *(f"注意：{warning}" for warning in imported.warnings)])
    if action == "delete":
        return f"账号 {account}：{'已删除会话' if store.delete(stored_name) else '本来就没有会话'}"
    return f"账号 {account}：{'、'.join(store.cookie_names(stored_name)) or '没有会话'}"


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
        raise ValueError("标准输入不是 UTF-8 文本：请把导出的内容存为 UTF-8 文件再导入") from None


def _has_login(store: SessionStore, stored_name: str, login_cookie: str | None) -> bool:
    try:
        return login_cookie in store.cookie_names(stored_name)
    except ServiceError:
        return False  # A damaged session cannot be logged in.
