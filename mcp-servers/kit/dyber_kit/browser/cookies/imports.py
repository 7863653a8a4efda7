"""Imports cookies in the forms that browsers and tools export, and keeps only those of the platform."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from dyber_kit.browser.cookies.forms import Export, NotCookies, read_export
from dyber_kit.browser.sessions import StorageState
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import Text, joined_names, tr, tr_lazy

#: Longest import accepted, in characters; exports often hold the whole browser.
MAX_IMPORT_CHARS = 4_000_000

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x1f;\x7f]*")
_SAME_SITE = {"strict": "Strict", "lax": "Lax", "none": "None", "no_restriction": "None"}
# Browsers refuse a cookie whose name and value together are longer.
_MAX_COOKIE_CHARS = 4096
# An expiry from the first value on is in milliseconds, from the second value on in microseconds.
_MAX_SECONDS, _MAX_MILLISECONDS = 1e11, 1e14
#: Playwright's expiry of a session cookie.
_NO_EXPIRY = -1.0
_FORMS_STEP = tr_lazy(
    "Forms that can be imported: JSON that a browser extension exports, cookies.txt (Netscape), Playwright's "
    'storage_state, {"name": value}, “Cookie: name=value; name=value”, Set-Cookie lines, or a copied cURL command (bash, '
    "cmd)"
)


@dataclass(frozen=True)
class CookieImport:
    """Holds the result of an import.

    Attributes:
        state: The storage state to keep.
        form: The name of the recognised form, for example “cookies.txt”.
        logged_in: Whether the session can be logged in: it has the login cookie, which has not expired.
        warnings: Warnings for people, without any cookie value.
    """

    state: StorageState
    form: Text
    logged_in: bool
    warnings: list[Text] = field(default_factory=list)


def import_cookies(text: str, domains: Sequence[str], login_cookie: str | None = None) -> CookieImport:
    """Return the storage state in a pasted text; `forms` reads the accepted forms.

    Cookies and stored data of other sites are dropped before anything is checked, because exports often hold those of
    the whole browser. Cookies without a domain, as in a header, are taken to belong to `domains[0]`.

    Args:
        text: The export.
        domains: The platform's registered domains, for example `["xiaohongshu.com"]`.
        login_cookie: Name of the cookie that every logged-in session has; None when there is no such cookie.

    Raises:
        ServiceError: INVALID_ARGUMENT; the message says which form was recognised, what is wrong and what to paste
            instead, without any cookie value.
    """
    text = text.strip("\ufeff \t\r\n")
    if not text:
        raise _refused(tr_lazy("there is no content"))
    if len(text) > MAX_IMPORT_CHARS:
        raise _refused(tr_lazy("the content has more than {most} characters", most=MAX_IMPORT_CHARS))
    try:
        export = read_export(text, domains)
    except NotCookies as error:
        raise _refused(error.reason, error.next_step) from None
    cookies = _platform_cookies(export, domains)
    if not cookies:
        sites = sorted({site for entry in export.cookies if (site := _site(entry))})[:5]
        raise _refused(
            tr_lazy(
                "the form is {form}, but there are no cookies of {domain} (sites in it: {sites})",
                form=export.form,
                domain=domains[0],
                sites=joined_names(sites) or tr("none"),
            )
        )
    now = time.time()
    alive = [cookie for cookie in cookies if cookie["expires"] == _NO_EXPIRY or cookie["expires"] > now]
    logged_in = login_cookie is None or any(cookie["name"] == login_cookie and cookie["value"] for cookie in alive)
    warnings = []
    if not logged_in:
        expired = any(cookie["name"] == login_cookie and cookie["value"] for cookie in cookies)
        why = tr_lazy("have no {name} (it is HttpOnly, which some ways to export do not see)", name=login_cookie)
        if expired:
            why = tr_lazy("have a {name} that has expired", name=login_cookie)
        warnings.append(
            tr_lazy(
                "The imported cookies {why}, so the session is not logged in; log in in the browser first, then export "
                "with an extension that exports HttpOnly cookies",
                why=why,
            )
        )
    elif len(alive) < len(cookies):
        expired_count = len(cookies) - len(alive)
        warnings.append(tr_lazy("Cookies that have expired and have no effect: {count}", count=expired_count))
    origins = [origin for origin in export.origins if _origin_belongs(origin, domains)]
    return CookieImport({"cookies": cookies, "origins": origins}, export.form, logged_in, warnings)


def _platform_cookies(export: Export, domains: Sequence[str]) -> list[dict[str, Any]]:
    kept: dict[tuple[str, str, str], dict[str, Any]] = {}
    for number, entry in enumerate(export.cookies, 1):
        site = _site(entry)
        if site and not _belongs(site, domains):
            continue
        cookie = _cookie(entry, number, domains[0] if export.assume_platform else None)
        # As in a browser, the last of several equal cookies counts.
        kept[cookie["name"], cookie["domain"], cookie["path"]] = cookie
    return list(kept.values())


def _site(entry: Any) -> str | None:
    """Return the host that an entry names, or None."""
    domain = entry.get("domain") if isinstance(entry, dict) else None
    if not isinstance(domain, str):
        return None
    # Some extensions write a URL here.
    host = re.sub(r"^[a-z]+://|[/:].*$", "", domain.strip().lower()).strip(".")
    return host or None


def _cookie(entry: Any, number: int, default_domain: str | None) -> dict[str, Any]:
    """Return an entry in Playwright's form; error messages name an unusable entry by its `number`."""
    if not isinstance(entry, dict):
        raise _refused(tr_lazy("cookie {number} is not a JSON object", number=number))
    name, value, site = entry.get("name"), entry.get("value"), _site(entry)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _refused(tr_lazy("the name of cookie {number} is missing or not usable", number=number))
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _VALUE.fullmatch(value) or len(name) + len(value) > _MAX_COOKIE_CHARS:
        raise _refused(
            tr_lazy("the value of the cookie {name} is missing, too long or has forbidden characters", name=name)
        )
    if site is None and default_domain is None:
        raise _refused(tr_lazy("the cookie {name} has no domain", name=name))
    dotted = site is None or (entry["domain"].strip().startswith(".") and entry.get("hostOnly") is not True)
    domain = f".{default_domain}" if site is None else f"{'.' if dotted else ''}{site}"
    path = entry.get("path")
    same_site = _SAME_SITE.get(str(entry.get("sameSite") or "").lower(), "Lax")
    # Browsers refuse a cookie with one of these prefixes unless it has these attributes.
    secure = entry.get("secure") is True or name.startswith(("__Secure-", "__Host-"))
    if name.startswith("__Host-"):
        domain, path = domain.lstrip("."), "/"
    return {
        "name": name,
        "value": value,
        "domain": domain,
        "path": path if isinstance(path, str) and path.startswith("/") else "/",
        "expires": expiry_seconds(entry.get("expires")),
        "httpOnly": entry.get("httpOnly") is True,
        "secure": secure,
        # Browsers refuse SameSite=None without Secure.
        "sameSite": same_site if secure or same_site != "None" else "Lax",
    }


def expiry_seconds(expires: Any) -> float:
    """Return an expiry as seconds since 1970, or -1 (a session cookie) when the value is not a time.

    Understands seconds, milliseconds and microseconds, as numbers or as text, ISO 8601 and the dates of HTTP headers.
    """
    if isinstance(expires, bool) or expires is None:
        return _NO_EXPIRY
    if isinstance(expires, str):
        expires = _from_text(expires.strip())
    if not isinstance(expires, int | float):
        return _NO_EXPIRY
    try:
        number = float(expires)
    except OverflowError:
        return _NO_EXPIRY
    if number >= _MAX_MILLISECONDS:
        number /= 1e6
    elif number >= _MAX_SECONDS:
        number /= 1e3
    usable = math.isfinite(number) and 0 < number < _MAX_SECONDS
    return number if usable else _NO_EXPIRY


def _from_text(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError, IndexError):
            continue
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return None


def _belongs(domain: str, domains: Sequence[str]) -> bool:
    domain = domain.lstrip(".")
    return any(domain == parent or domain.endswith(f".{parent}") for parent in domains)


def _origin_belongs(origin: Any, domains: Sequence[str]) -> bool:
    address = origin.get("origin") if isinstance(origin, dict) else None
    match = re.fullmatch(r"https?://([^/:]+)(?::\d+)?", address) if isinstance(address, str) else None
    return match is not None and _belongs(match[1].lower(), domains)


def _refused(reason: Text, next_step: Text | None = None) -> ServiceError:
    message = tr_lazy("The cookies cannot be imported: {reason}", reason=reason)
    return ServiceError(ErrorCode.INVALID_ARGUMENT, message, next_step or _FORMS_STEP)
