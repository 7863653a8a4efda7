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

from dyber_kit.language import Text, tr_lazy

_COPY_HEADER_STEP = tr_lazy(
    "In the developer tools, under Network, select a request to the platform and copy the value of its request header "
    "cookie; or right-click and choose Copy, Copy as cURL (bash)"
)
_JSON_LIST = tr_lazy("a JSON list")
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

    def __init__(self, reason: Text, next_step: Text | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step


@dataclass(frozen=True)
class Export:
    """Holds the unchecked cookies of a text: entries with name, value, domain, path, expires and so on.

    Attributes:
        form: The name of the recognised form.
        cookies: The entries; of a JSON list, any values.
        origins: Stored data by origin, from Playwright's storage state.
        assume_platform: Whether entries without a domain are taken to belong to the platform.
    """

    form: Text
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
        raise NotCookies(
            tr_lazy("This is a PowerShell command"),
            tr_lazy("Choose Copy as cURL (bash) instead, or copy the value of the request header cookie"),
        )
    if re.match(r"(?:await\s+)?fetch\(", text):
        raise NotCookies(tr_lazy("This is fetch code, which usually has no cookies"), _COPY_HEADER_STEP)
    if (rows := _netscape(text)) is not None:
        return Export(tr_lazy("cookies.txt (Netscape format)"), rows)
    if lines := _SET_COOKIE.findall(text):
        cookies = [cookie for line in lines if (cookie := _set_cookie(line))]
        return Export(tr_lazy("Set-Cookie lines"), cookies, assume_platform=True)
    if values := _COOKIE.findall(text) or _COOKIE_ON_NEXT_LINE.findall(text):
        return Export(tr_lazy("a Cookie request header"), _pairs(";".join(values)), assume_platform=True)
    if re.match(r"# (?:Netscape )?HTTP Cookie File", text):
        raise NotCookies(
            tr_lazy("This is a cookies.txt, but there are no cookies in it"),
            tr_lazy("Export it again on a page where you are logged in"),
        )
    if re.match(r"<!doctype|<html|<\?xml", text, re.IGNORECASE):
        raise NotCookies(tr_lazy("This is the source code of a web page"), _COPY_HEADER_STEP)
    return Export(tr_lazy("“name=value; name=value”"), _pairs(text), assume_platform=True)


def _json(text: str) -> Export:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        reason = tr_lazy("The JSON is incomplete or has a fault")
        if isinstance(error, json.JSONDecodeError):
            reason = tr_lazy("The JSON is incomplete or has a fault in line {line}", line=error.lineno)
        raise NotCookies(reason, tr_lazy("Copy or export all of it again")) from None
    except RecursionError:
        raise NotCookies(tr_lazy("The JSON is nested too deeply")) from None
    if isinstance(parsed, list):
        return Export(_JSON_LIST, [_renamed(entry) for entry in parsed])
    if isinstance(parsed.get("log"), dict) and "entries" in parsed["log"]:
        raise NotCookies(tr_lazy("This is a HAR file (a record of the network)"), _COPY_HEADER_STEP)
    origins = parsed.get("origins")
    if isinstance(listed := parsed.get("cookies"), list):
        form = tr_lazy("Playwright's storage_state") if isinstance(origins, list) else _JSON_LIST
        return Export(form, [_renamed(entry) for entry in listed], origins if isinstance(origins, list) else [])
    pairs = listed if isinstance(listed, dict) else parsed
    if pairs and all(isinstance(value, str | int | float) for value in pairs.values()):
        cookies = [{"name": name, "value": value} for name, value in pairs.items()]
        return Export(tr_lazy('JSON of the form {"name": value}'), cookies, assume_platform=True)
    raise NotCookies(tr_lazy('The JSON has no list cookies, and is not of the form {"name": value}'))


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
            raise NotCookies(tr_lazy("The form is not known: part {number} is not “name=value”", number=number))
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
        raise NotCookies(
            tr_lazy("This is a cURL command, but a quote is not closed"),
            tr_lazy("Copy all of it again, or give only the value of its cookie header"),
        ) from None
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
        reason = tr_lazy("This is a cURL command without an address")
        if hosts and hosts[0]:
            reason = tr_lazy("This is a cURL command to {host}", host=hosts[0])
        raise NotCookies(reason, tr_lazy("Copy a request to {domain}", domain=domains[0]))
    values = [header.partition(":")[2].strip() for header in headers if header.lower().startswith("cookie:")]
    values = [value for value in values if value]
    if not values:
        raise NotCookies(
            tr_lazy("This is a cURL command, but it has no cookie header"),
            tr_lazy("Copy a request to {domain}, on a page where you are logged in", domain=domains[0]),
        )
    if any("=" not in value for value in values):
        raise NotCookies(
            tr_lazy("This is a cURL command whose cookies are in a file (-b file)"),
            tr_lazy("Import that cookies.txt itself"),
        )
    return Export(tr_lazy("a cURL command"), _pairs(";".join(values)), assume_platform=True)


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
