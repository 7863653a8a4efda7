"""Reads links out of the texts that people share, and follows short links up to an address of the platform.

Only short links are requested, only from the hosts that the platform's form names, and without cookies or keys; private
addresses are refused (see `dyber_kit.upstream.http`). The address that they lead to is returned and not opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx2
from pydantic import BaseModel

from dyber_kit.browser.pages import Pages
from dyber_kit.browser.walls import Walls
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr_lazy
from dyber_kit.observing.metrics import Metrics
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.http import ENDPOINT, create_client

_USUAL_PORTS = (None, 80, 443)
#: Where a link in a text ends: at white space, and at marks that people write behind links.
_LINK_REST = r"[^\s<>\"'，。！；、】）》]+"
_MAX_REDIRECTS = 4
# Other calls wait while a link is followed.
_TIMEOUT_SECONDS = 5.0
_MAX_BYTES = 256 * 1024
# A short link always leads to the same address.
_KEEP_SECONDS = 86_400.0
_NEXT_STEP = tr_lazy("Open the short link in a browser, and pass the complete address that is shown there")


class LinkFinder:
    """Finds links in texts.

    Args:
        domains: Domains whose links are also found without a scheme, such as `b23.tv/abc`.
        schemes: Schemes of the platform's apps, besides http and https.
    """

    def __init__(self, domains: Sequence[str] = (), schemes: Sequence[str] = ()) -> None:
        starts = ["https?://", *(f"{re.escape(scheme)}://" for scheme in schemes)]
        if domains:
            known = "|".join(map(re.escape, domains))
            starts.append(rf"(?<![\w.@:/-])(?:[a-z0-9-]+\.)*(?:{known})/")
        self._pattern = re.compile(rf"(?:{'|'.join(starts)}){_LINK_REST}", re.IGNORECASE)

    def first(self, text: str) -> str | None:
        """Return the first link in a text, with its scheme; None without one."""
        match = self._pattern.search(text)
        if match is None:
            return None
        return match[0] if "://" in match[0] else f"https://{match[0]}"


def split_link(link: str) -> SplitResult | None:
    """Return the parts of a link; None when it is not well-formed."""
    try:
        parts = urlsplit(link)
        _ = parts.port
    except ValueError:
        return None
    return parts


def within(host: str | None, domains: Iterable[str]) -> bool:
    """Return whether a host is one of `domains`, or below one."""
    host = (host or "").rstrip(".").lower()
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def is_at(parts: SplitResult, origin: str) -> bool:
    """Return whether a link leads to the host and the port of an origin, such as `https://www.example.com`."""
    site = urlsplit(origin)
    return (parts.hostname, parts.port) == (site.hostname, site.port)


@dataclass(frozen=True)
class ShortLinkForm:
    """Describes the short links of a platform, which only their redirects tell apart.

    Attributes:
        domains: Their domains.
        path: Pattern of their whole path.
        sites: Origins that serve short links themselves, such as that of a stand-in for the site.
        site_path: Pattern of the whole path of those links.
    """

    domains: Sequence[str]
    path: str
    sites: Sequence[str] = ()
    site_path: str = ""

    def matches(self, link: str) -> bool:
        """Return whether the redirects of a link must be followed to know its target."""
        parts = split_link(link)
        if parts is None or parts.scheme not in ("http", "https"):
            return False
        if within(parts.hostname, self.domains):
            return parts.port in _USUAL_PORTS and re.fullmatch(self.path, parts.path) is not None
        of_site = any(is_at(parts, site) for site in self.sites)
        return of_site and bool(self.site_path) and re.fullmatch(self.site_path, parts.path) is not None

    @property
    def hosts(self) -> list[str]:
        """Return the hosts that may be asked."""
        sites = [urlsplit(site).hostname or "" for site in self.sites]
        return [*self.domains, *(f"*.{domain}" for domain in self.domains), *sites]


class Target(BaseModel):
    """Holds where a short link leads, and when it was followed; `kept` tells whether that was for an earlier call."""

    url: str
    fetched_at: datetime
    kept: bool = False


class ShortLinks:
    """Follows short links, one redirect at a time.

    Args:
        form: Tells which links are short links.
        walls: Recognises the platform's refusals.
        cache: Keeps where short links lead.
        pages: Gives turns, and none during a pause; None to follow links at once.
        keep_seconds: Longest time for which a target is kept.
        metrics: Where requests are counted.
    """

    def __init__(
        self,
        form: ShortLinkForm,
        walls: Walls,
        cache: Cache,
        pages: Pages | None = None,
        *,
        keep_seconds: float = _KEEP_SECONDS,
        metrics: Metrics | None = None,
    ) -> None:
        self.form = form
        self._walls = walls
        self._cache = cache
        self._pages = pages
        self._keep_seconds = min(keep_seconds, _KEEP_SECONDS)
        self._client = create_client(
            form.hosts,
            metrics=metrics,
            timeout=_TIMEOUT_SECONDS,
            max_bytes=_MAX_BYTES,
            attempts=2,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def expand(self, link: str, account: str = "") -> str:
        """Return the target of a short link, and any other text as it is; see `follow`."""
        return (await self.follow(link, account)).url if self.form.matches(link) else link

    async def follow(self, link: str, account: str = "") -> Target:
        """Return where a short link leads.

        Args:
            link: The short link.
            account: The account whose turn it is; "" for the first.

        Raises:
            ServiceError: NOT_FOUND for an invalid short link; UPSTREAM_UNREACHABLE without an answer; the refusal of
                the platform; or like `Pages.turn`.
        """
        is_fresh = False

        async def load() -> Target:
            nonlocal is_fresh
            async with self._pages.turn(account) if self._pages else nullcontext():
                url = await self._target(link)
            is_fresh = True
            return Target(url=url, fetched_at=datetime.now(UTC))

        target = await self._cache.get_or_load_model(Target, f"short_link:{link}", self._keep_seconds, load)
        return target.model_copy(update={"kept": not is_fresh})

    async def _target(self, link: str) -> str:
        for _ in range(_MAX_REDIRECTS):
            # GET: some short-link services answer HEAD with an error.
            answer = await self._client.get(link, extensions={ENDPOINT: "short_link"})
            if wall := self._walls.of_answer(answer.status_code, _body(answer)):
                raise wall.error()
            location = answer.headers.get("location")
            if not answer.is_redirect or not location:
                raise ServiceError(
                    ErrorCode.NOT_FOUND, tr_lazy("The short link is no longer valid, or is not known"), _NEXT_STEP
                )
            link = urljoin(link, location)
            if not self.form.matches(link):
                return link
        raise ServiceError(ErrorCode.NOT_FOUND, tr_lazy("The short link redirects too often"), _NEXT_STEP)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _body(answer: httpx2.Response) -> Any:
    """Return the JSON of an answer; an empty object for an answer without one, which is usual for redirects."""
    try:
        return answer.json()
    except ValueError:
        return {}
