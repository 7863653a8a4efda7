"""Holds how the stand-in for Weibo behaves, what it received, and who its visitors are."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request

VISITOR, MEMBER = "_2AkMvisitor", "_2A25member"


@dataclass
class WeiboState:
    """Holds how the stand-in behaves, and what it received.

    Attributes:
        case: What the sites show in place of their data.
        api_case: What the official API does: `expired`, `refused`, `quota`, `empty`, `writing`, `nothing`, `odd`.
        member: Whether every visitor counts as logged in.
        overlap: Number of search results that a page has in common with the page before.
        lazy: Whether pages make no calls by themselves.
        scan: Status of the QR code: 50114001 not scanned, 50114002 scanned, 50114004 expired, 20000000 confirmed.
        seconds: How long calls take.
        code_seconds: How long the call for a QR code takes.
        requests: Paths with queries, in order.
        tokens: Number of tokens that were issued.
        base: Address of the site; other names of the stand-in may be of other ports.
        login_base: Address of the site of logins.
    """

    base: str = ""
    login_base: str = ""
    case: str = ""
    api_case: str = ""
    comments_case: str = ""
    member: bool = False
    overlap: int = 0
    lazy: bool = False
    scan: int = 50114001
    seconds: float = 0.0
    code_seconds: float = 0.0
    requests: list[str] = field(default_factory=list)
    tokens: int = 0

    def reset(self) -> None:
        """Behave as at the start."""
        fresh = WeiboState(base=self.base, login_base=self.login_base)
        self.__dict__.update(fresh.__dict__)

    def asked(self, part: str) -> list[str]:
        """Return the requests whose path or query contains a text."""
        return [request for request in self.requests if part in request]


def state_of(request: Request) -> WeiboState:
    """Return the state after noting a request."""
    state: WeiboState = request.app.state.weibo
    query = f"?{request.url.query}" if request.url.query else ""
    state.requests.append(f"{request.url.path}{query}")
    return state


def is_member(request: Request) -> bool:
    """Return whether the visitor is logged in."""
    return request.app.state.weibo.member or request.cookies.get("SUB", "").startswith("_2A25")
