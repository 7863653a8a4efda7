"""Reads cookies in the forms people can export, and keeps only those of the platform."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.sessions import StorageState

#: Longest import accepted, in characters.
MAX_IMPORT_CHARS = 200_000

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x1f;\x7f]*")
_SAME_SITE = {"strict": "Strict", "lax": "Lax", "none": "None", "no_restriction": "None"}
_FORMS = "Playwright 的 storage_state JSON、浏览器扩展导出的 JSON 列表，或“名=值; 名=值”"


def import_cookies(text: str, domains: Sequence[str]) -> StorageState:
    """A storage state from what somebody pasted.

    Understands Playwright's storage state, the JSON list of cookie-export extensions, and a `Cookie` header's
    `name=value; …`, whose cookies are taken to be of `domains[0]`. Cookies (and stored data) of other sites are
    dropped: exports often hold the whole browser.

    Args:
        text: The export.
        domains: The platform's registered domains, for example `["xiaohongshu.com"]`.

    Raises:
        ServiceError: INVALID_ARGUMENT; says what is wrong and where, without any value.
    """
    text = text.strip().lstrip("\ufeff")
    if not text:
        raise _refused("没有内容")
    if len(text) > MAX_IMPORT_CHARS:
        raise _refused(f"内容超过 {MAX_IMPORT_CHARS} 个字符")
    origins: list[Any] = []
    if text[0] in "[{":
        try:
            parsed = json.loads(text)
        except ValueError as error:
            position = f"第 {error.lineno} 行" if isinstance(error, json.JSONDecodeError) else "某处"
            raise _refused(f"JSON 在{position}不完整或有错误") from None
        if isinstance(parsed, dict):
            origins = parsed.get("origins") or []
            parsed = parsed.get("cookies")
        if not isinstance(parsed, list):
            raise _refused("JSON 里没有 cookies 列表")
        cookies = [_from_json(entry, number) for number, entry in enumerate(parsed, 1)]
    else:
        cookies = _from_header(text, domains[0])
    kept = [cookie for cookie in cookies if _belongs(cookie["domain"], domains)]
    if not kept:
        found = "、".join(sorted({cookie["domain"].lstrip(".") for cookie in cookies})[:5]) or "无"
        raise _refused(f"没有 {domains[0]} 的 Cookie（找到的网站：{found}）")
    return {"cookies": kept, "origins": [origin for origin in origins if _origin_belongs(origin, domains)]}


def _from_json(entry: Any, number: int) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise _refused(f"第 {number} 个 Cookie 不是 JSON 对象")
    name, value, domain = entry.get("name"), entry.get("value"), entry.get("domain")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _refused(f"第 {number} 个 Cookie 的 name 缺失或无效")
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise _refused(f"Cookie {name} 的 value 缺失或含有不允许的字符")
    if not isinstance(domain, str) or not domain.strip("."):
        raise _refused(f"Cookie {name} 没有 domain")
    expires = entry.get("expires", entry.get("expirationDate"))
    path = entry.get("path")
    same_site = _SAME_SITE.get(str(entry.get("sameSite")).lower(), "Lax")
    secure = entry.get("secure") is True
    return {
        "name": name,
        "value": value,
        "domain": domain.lower(),
        "path": path if isinstance(path, str) and path.startswith("/") else "/",
        "expires": float(expires) if isinstance(expires, int | float) and expires > 0 else -1,
        "httpOnly": entry.get("httpOnly") is True,
        "secure": secure,
        # Browsers refuse SameSite=None without Secure.
        "sameSite": same_site if secure or same_site != "None" else "Lax",
    }


def _from_header(text: str, domain: str) -> list[dict[str, Any]]:
    text = re.sub(r"^cookie:\s*", "", text, flags=re.IGNORECASE)
    cookies = []
    for number, part in enumerate((part for part in re.split(r"[;\n]", text) if part.strip()), 1):
        name, equals, value = part.strip().partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise _refused(f"第 {number} 段不是“名=值”")
        cookies.append(_from_json({"name": name.strip(), "value": value.strip(), "domain": f".{domain}"}, number))
    return cookies


def _belongs(domain: str, domains: Sequence[str]) -> bool:
    domain = domain.lstrip(".")
    return any(domain == own or domain.endswith(f".{own}") for own in domains)


def _origin_belongs(origin: Any, domains: Sequence[str]) -> bool:
    address = origin.get("origin") if isinstance(origin, dict) else None
    match = re.fullmatch(r"https?://([^/:]+)(?::\d+)?", address) if isinstance(address, str) else None
    return match is not None and _belongs(match[1].lower(), domains)


def _refused(reason: str) -> ServiceError:
    return ServiceError(ErrorCode.INVALID_ARGUMENT, f"无法导入 Cookie：{reason}", f"可用的格式：{_FORMS}")
