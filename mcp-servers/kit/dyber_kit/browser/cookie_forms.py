"""Recognises the form of pasted cookies and extracts the cookies without checking them."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_COPY_HEADER_STEP = (
    "请在开发者工具的“网络”里选中一个发给平台的请求，复制它的请求标头 cookie 的值；"
    "或右键“复制”→“以 cURL（bash）格式复制”"
)
_ALIASES = {
    "expirationdate": "expires",
    "expiry": "expires",
    "host": "domain",
    "httponly": "httpOnly",
    "samesite": "sameSite",
    "hostonly": "hostOnly",
}
_SET_COOKIE = re.compile(r"^set-cookie\s*:\s*(.*)$", re.IGNORECASE | re.MULTILINE)
_COOKIE = re.compile(r"^cookie\s*:\s*(.*)$", re.IGNORECASE | re.MULTILINE)
# Developer tools copy request headers as a name on one line and its value on the next.
_COOKIE_ON_NEXT_LINE = re.compile(r"^:?cookie:?[ \t]*\r?\n[ \t]*(.+)$", re.IGNORECASE | re.MULTILINE)
_CURL_COOKIE = ("-b", "--cookie")
_CURL_HEADER = ("-H", "--header")
_CURL_WITH_VALUE = ("-X", "--request", "-d", "--data", "--data-raw", "--data-binary", "-A", "--user-agent", "-e")


class NotCookies(Exception):
    """Says that a text holds no usable cookies; `next_step` says what to paste instead."""

    def __init__(self, reason: str, next_step: str = "") -> None:
        super().__init__(reason)
        self.next_step = next_step


@dataclass(frozen=True)
class Export:
    """Holds the unchecked cookies of a text: entries with name, value, domain, path, expires and so on.

    Attributes:
        form: The name of the recognised form, in Chinese.
        cookies: The entries; of a JSON list, any values.
        origins: Stored data by origin, from Playwright's storage state.
        assume_platform: Whether entries without a domain are taken to belong to the platform.
    """

    form: str
    cookies: list[Any]
    origins: list[Any] = field(default_factory=list)
    assume_platform: bool = False


def read_export(text: str, domains: Sequence[str]) -> Export:
    """Return the cookies in `text`.

    Raises:
        NotCookies: The form is unknown or ambiguous, or the text is not meant for one of `domains`.
    """
    if text[0] in "[{":
        return _json(text)
    if re.match(r"curl(?:\.exe)?\s", text):
        return _curl(text, domains)
    if re.match(r"(?:\$session\s*=|Invoke-(?:WebRequest|RestMethod)\b)", text):
        raise NotCookies("这是 PowerShell 命令", "请改为“以 cURL（bash）格式复制”，或复制请求标头 cookie 的值")
    if re.match(r"(?:await\s+)?fetch\(", text):
        raise NotCookies("这是 fetch 代码，里面通常没有 Cookie", _COPY_HEADER_STEP)
    if (rows := _netscape(text)) is not None:
        return Export("cookies.txt（Netscape 格式）", rows)
    if lines := _SET_COOKIE.findall(text):
        cookies = [cookie for line in lines if (cookie := _set_cookie(line))]
        return Export("Set-Cookie 行", cookies, assume_platform=True)
    if values := _COOKIE.findall(text) or _COOKIE_ON_NEXT_LINE.findall(text):
        return Export("Cookie 请求标头", _pairs(";".join(values)), assume_platform=True)
    if re.match(r"# (?:Netscape )?HTTP Cookie File", text):
        raise NotCookies("这是 cookies.txt，但里面没有 Cookie", "请在登录后的页面上重新导出")
    if re.match(r"<!doctype|<html|<\?xml", text, re.IGNORECASE):
        raise NotCookies("这是网页的源代码", _COPY_HEADER_STEP)
    return Export("“名=值; 名=值”", _pairs(text), assume_platform=True)


def _json(text: str) -> Export:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        position = f"第 {error.lineno} 行" if isinstance(error, json.JSONDecodeError) else "某处"
        raise NotCookies(f"JSON 在{position}不完整或有错误", "请重新完整地复制或导出一次") from None
    except RecursionError:
        raise NotCookies("JSON 嵌套得太深") from None
    if isinstance(parsed, list):
        return Export("JSON 列表", [_renamed(entry) for entry in parsed])
    if isinstance(parsed.get("log"), dict) and "entries" in parsed["log"]:
        raise NotCookies("这是 HAR 文件（网络记录）", _COPY_HEADER_STEP)
    origins = parsed.get("origins")
    if isinstance(listed := parsed.get("cookies"), list):
        form = "Playwright 的 storage_state" if isinstance(origins, list) else "JSON 列表"
        return Export(form, [_renamed(entry) for entry in listed], origins if isinstance(origins, list) else [])
    pairs = listed if isinstance(listed, dict) else parsed
    if pairs and all(isinstance(value, str | int | float) for value in pairs.values()):
        cookies = [{"name": name, "value": value} for name, value in pairs.items()]
        return Export("{名: 值} 的 JSON", cookies, assume_platform=True)
    raise NotCookies("JSON 里没有 cookies 列表，也不是 {名: 值}")


def _renamed(entry: Any) -> Any:
    """Return a JSON entry with the field names that Playwright uses; browser extensions spell them in several ways."""
    if not isinstance(entry, dict):
        return entry
    lower = {str(key).lower(): value for key, value in entry.items()}
    return {_ALIASES.get(key, key): value for key, value in lower.items()}


def _netscape(text: str) -> list[dict[str, Any]] | None:
    """Return the rows of a cookies.txt, or None when the text is not one.

    A row has domain, subdomains, path, secure, expiry, name and value.
    """
    rows = []
    for line in text.splitlines():
        http_only = line.startswith("#HttpOnly_")
        if not line.strip() or (line.startswith("#") and not http_only):
            continue
        line = line.removeprefix("#HttpOnly_")
        # Copying often turns tabs into blanks; an empty value is then a missing column.
        fields = line.split("\t") if "\t" in line else line.split(None, 6)
        if len(fields) not in (6, 7) or {fields[1].upper(), fields[3].upper()} - {"TRUE", "FALSE"}:
            continue  # One malformed row must not make the whole export unusable.
        domain, subdomains, path, secure, expires, name = (part.strip() for part in fields[:6])
        rows.append(
            {
                "domain": f".{domain.lstrip('.')}" if subdomains.upper() == "TRUE" else domain.lstrip("."),
                "path": path,
                "secure": secure.upper() == "TRUE",
                "expires": expires,
                "name": name,
                "value": fields[6].rstrip("\r") if len(fields) == 7 else "",
                "httpOnly": http_only,
            }
        )
    return rows or None


def _pairs(text: str) -> list[dict[str, Any]]:
    """Return the cookies of a `Cookie` header's value; lines count as separators."""
    cookies = []
    for number, part in enumerate((part for part in re.split(r"[;\n]", text) if part.strip()), 1):
        name, equals, value = part.strip().partition("=")
        if not equals or not name.strip() or re.search(r"\s", name.strip()):
            raise NotCookies(f"认不出这是什么格式：第 {number} 段不是“名=值”")
        cookies.append({"name": name.strip(), "value": value.strip()})
    return cookies


def _set_cookie(line: str) -> dict[str, Any] | None:
    """Return the cookie of one `Set-Cookie` line; None when the line deletes a cookie."""
    first, *attributes = line.split(";")
    cookie = _pairs(first)[0] if first.strip() else {}
    for attribute in attributes:
        key, _, value = (part.strip() for part in attribute.partition("="))
        match key.lower():
            case "domain" if value:
                # The site itself allows its subdomains to receive this cookie.
                cookie["domain"] = f".{value.lstrip('.')}"
            case "path" | "expires" | "samesite":
                cookie.setdefault(_ALIASES.get(key.lower(), key.lower()), value)
            case "max-age" if re.fullmatch(r"-?\d{1,10}", value):
                if int(value) <= 0:
                    return None
                cookie["expires"] = time.time() + int(value)
            case "secure":
                cookie["secure"] = True
            case "httponly":
                cookie["httpOnly"] = True
    return cookie or None


def _curl(text: str, domains: Sequence[str]) -> Export:
    """Return the cookies that a cURL command sends to the platform."""
    try:
        words = _words(text)
    except ValueError:
        raise NotCookies("这是 cURL 命令，但引号不完整", "请重新完整地复制，或只给它的 cookie 标头的值") from None
    headers: list[str] = []
    addresses: list[str] = []
    remaining = iter(words[1:])
    handlers: dict[str, Callable[[str], None]] = dict.fromkeys(_CURL_HEADER, headers.append)
    handlers |= dict.fromkeys(_CURL_COOKIE, lambda value: headers.append(f"cookie: {value}"))
    handlers |= dict.fromkeys(_CURL_WITH_VALUE, lambda value: None)
    handlers |= {"--url": addresses.append, "--referer": lambda value: None}
    for word in remaining:
        option, equals, value = word.partition("=")
        if word in handlers:
            handlers[word](next(remaining, ""))
        elif equals and option in handlers and option.startswith("--"):
            handlers[option](value)
        elif not word.startswith("-"):
            addresses.append(word)
    hosts = [urlsplit(url if "//" in url else f"//{url}").hostname or "" for url in addresses]
    if not any(host == domain or host.endswith(f".{domain}") for host in hosts for domain in domains):
        where = f"发给 {hosts[0]} 的" if hosts and hosts[0] else "没有网址的"
        raise NotCookies(f"这是{where} cURL 命令", f"请复制一个发给 {domains[0]} 的请求")
    values = [header.partition(":")[2].strip() for header in headers if header.lower().startswith("cookie:")]
    values = [value for value in values if value]
    if not values:
        raise NotCookies("这是 cURL 命令，但没有 cookie 标头", f"请在登录后的页面上，复制一个发给 {domains[0]} 的请求")
    if any("=" not in value for value in values):
        raise NotCookies("这是 cURL 命令，它的 Cookie 在一个文件里（-b 文件）", "请直接导入那个 cookies.txt 文件")
    return Export("cURL 命令", _pairs(";".join(values)), assume_platform=True)


def _words(text: str) -> list[str]:
    """Split a command line for bash or for Windows' cmd into words. Raises ValueError when a quote is not closed."""
    if '^"' in text:
        text = re.sub(r"\^(\r?\n)\s*", " ", text)
        text = re.sub(r"\^(.)", r"\1", text)
    else:
        text = re.sub(r"\\\r?\n", " ", text)
        text = re.sub(r"\$'((?:[^'\\]|\\.)*)'", lambda match: shlex.quote(_ansi(match[1])), text)
    return shlex.split(text)


def _ansi(quoted: str) -> str:
    """Return the text that bash makes of the characters between `$'` and `'`."""

    def character(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        return chr(int(code, 16)) if code else {"n": "\n", "t": "\t", "r": "\r"}.get(match[3], match[3])

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", character, quoted)
