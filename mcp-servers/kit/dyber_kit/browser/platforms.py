"""Describes a platform to the browser layer: its refusals, its data calls, and where its pages keep their data.

A service with a browser writes one `Platform`; visits, logins and counting work from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dyber_kit.browser.walls import Walls
from dyber_kit.language import Text


@dataclass(frozen=True)
class Calls:
    """Names the calls by which a platform's pages load their data.

    A call's name is its path without the prefix and without a slash at its end, such as `/v1/search/notes`; in the lists
    below, the end of a name suffices.

    Attributes:
        prefixes: Starts of the paths of data calls, without a slash at the end; other requests are ignored.
        data: Calls whose refusal ends a visit; other calls (who am I, suggestions) fail for every guest.
        parts: Calls for a part of a page, such as its comments, whose refusal leaves the rest of the page usable.
        counted: Calls with a time series of their own in the metrics; all others are counted as `other`.
        content: Field of an answer that holds its data; "" takes the whole answer.
    """

    prefixes: Sequence[str] = ()
    data: Sequence[str] = ()
    parts: Sequence[str] = ()
    counted: Sequence[str] = ()
    content: str = "data"

    def name(self, url: str) -> str | None:
        """Return the name of the data call to `url`; None for pages, scripts, pictures and so on."""
        path = urlsplit(url).path
        prefix = next((prefix for prefix in self.prefixes if path.startswith(f"{prefix}/")), None)
        return None if prefix is None else path.removeprefix(prefix).rstrip("/")

    def endpoint(self, url: str, *, navigates: bool) -> str | None:
        """Return what the metrics call a request: `page`, a name of `counted`, `other`, or None for other requests."""
        if navigates:
            return "page"
        name = self.name(url)
        return None if name is None else next((end for end in self.counted if name.endswith(f"/{end}")), "other")


@dataclass(frozen=True)
class Layout:
    """Says where pages keep their data and which elements a visit looks at; each is a CSS selector.

    Attributes:
        state: The global variable with the page's state, or the selector of a `script` that holds it as JSON, plain
            or URL-encoded; "" for pages without a state.
        marks: By name, elements whose visibility a snapshot reports, such as the end of a list.
        scroller: The element that scrolls, besides the page itself.
        login_code: The picture with the QR code of a login.
        proof_words: Words in the placeholder of a field for a code that was sent to a telephone.
    """

    state: str = "__INITIAL_STATE__"
    marks: Mapping[str, str] = field(default_factory=dict)
    scroller: str = ""
    login_code: str = ""
    proof_words: str = "验证码"


@dataclass(frozen=True)
class Platform:
    """Describes one platform.

    Attributes:
        name: Its name in files and metrics, such as `xiaohongshu`.
        walls: Its refusals.
        calls: Its data calls.
        layout: Its pages.
        domains: Its registered domains; cookies of other sites are not imported.
        login_cookie: The cookie that every logged-in session has, or None.
    """

    name: str
    walls: Walls
    calls: Calls = Calls()
    layout: Layout = Layout()
    domains: Sequence[str] = ()
    login_cookie: str | None = None

    @property
    def title(self) -> Text | str:
        """Return the platform's name for people."""
        return self.walls.title

    def serves(self, url: str, hosts: Iterable[str] = ()) -> bool:
        """Return whether an address is of the platform: at one of its domains or `hosts`, or below one."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        host = (parts.hostname or "").rstrip(".")
        known = any(domain and (host == domain or host.endswith(f".{domain}")) for domain in (*self.domains, *hosts))
        return known and parts.scheme in ("http", "https")
