"""Logs services in to their platforms by QR code: gets a code and follows it until the login is done."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from mcp.types import Tool

from dyber_console.tools.calling import Answer, Tools
from dyber_console.tools.schemas import properties

STATUS_END = "_login_status"
CODE_END = "_login_qrcode"
#: How often the status is asked for at most while a code is shown, in seconds.
ASK_SECONDS = 2.0
_CODE_SECONDS = 180.0
#: How long the status is waited for, while a page waits for it too.
_STATUS_SECONDS = 5.0

State = Literal["waiting", "scanned", "more", "expired", "done", "refused"]
_STEPS: dict[str, State] = {
    "scan": "waiting",
    "confirm": "scanned",
    "sms_code": "more",
    "captcha": "more",
    "second_code": "more",
    "expired": "expired",
    "failed": "expired",
}


@dataclass(frozen=True)
class Login:
    """Holds a login in progress, or how it ended.

    Attributes:
        picture: The code as a `data:` address; "" when there is none.
        started: When the code came, in seconds since 1970.
        expires: When it becomes invalid.
        nickname: Name of the account at the platform, once logged in.
        answer: The refusal, in the state `refused`.
        advice: What the service says is to be done.
    """

    account: str
    state: State
    picture: str = ""
    started: float = 0.0
    expires: float = 0.0
    nickname: str = ""
    answer: Answer | None = None
    advice: str = ""
    asked: float = 0.0


@dataclass
class Logins:
    """Holds the login in progress of each service and account, in memory only."""

    tools: Tools
    current: dict[tuple[str, str], Login] = field(default_factory=dict)
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict)

    def login_tools(self, service: str) -> tuple[Tool, Tool] | None:
        """Return the tools for the status and for the code of a service's login; None when it lacks either."""
        listing = self.tools.listings.get(service)
        if listing is None:
            return None
        code = next((tool for tool in listing.tools if tool.name.endswith(CODE_END)), None)
        status = next((tool for tool in listing.tools if code and says_login(tool, code.name)), None)
        return (status, code) if status and code else None

    async def start(self, service: str, account: str, now: float) -> Login | None:
        """Get a new code for an account ("" is the first); return None when the service has no login by code."""
        pair = self.login_tools(service)
        if pair is None:
            return None
        async with self._turn(service):
            answer = await self.tools.call(service, pair[1].name, _account(account))
            login = _from_code(answer, account, now)
            self.current[(service, account)] = login
            return login

    async def follow(self, service: str, account: str, now: float) -> Login | None:
        """Return the login of an account; its status is asked for unless it has ended or was asked just now."""
        login = self.current.get((service, account))
        pair = self.login_tools(service)
        if login is None or pair is None or login.state not in ("waiting", "scanned", "more"):
            return login
        if now >= login.expires:
            login = replace(login, state="expired", picture="")
        elif now - login.asked >= ASK_SECONDS and not self._turn(service).locked():
            async with self._turn(service):
                arguments = {**_account(account), **_without_a_page(pair[0])}
                answer = await self.tools.call(service, pair[0].name, arguments, _STATUS_SECONDS)
                login = _from_status(login, answer, now)
        self.current[(service, account)] = login
        return login

    def _turn(self, service: str) -> asyncio.Lock:
        return self._turns.setdefault(service, asyncio.Lock())


def says_login(tool: Tool, code: str) -> bool:
    """Tell whether a tool is the one that says how the login by the tool `code` stands."""
    if tool.name.endswith(STATUS_END):
        return True
    results = properties(tool.output_schema or {})
    return tool.name == code.removesuffix(CODE_END) + "_status" and "logged_in" in results


def _without_a_page(status: Tool) -> dict[str, Any]:
    """Return the argument with which a status opens no page of the platform, as it is asked for every two seconds."""
    return {"check_login": False} if "check_login" in properties(status.input_schema) else {}


def _account(account: str) -> dict[str, Any]:
    return {"account": account} if account else {}


def _from_code(answer: Answer, account: str, now: float) -> Login:
    if answer.outcome != "ok":
        return Login(account, "refused", answer=answer, started=now)
    content = answer.structured
    advice = str(content.get("next_step", ""))
    if content.get("logged_in") is True:
        return Login(account, "done", started=now, advice=advice)
    expires = _time(content.get("expires_at")) or now + _CODE_SECONDS
    if not answer.images:
        return Login(account, "refused", answer=replace(answer, outcome="tool_error"), started=now, advice=advice)
    return Login(account, "waiting", answer.images[0], now, expires, advice=advice, asked=now)


def _from_status(login: Login, answer: Answer, now: float) -> Login:
    if answer.outcome != "ok":
        # The code may still be scanned; the next question can succeed.
        return replace(login, asked=now)
    content = answer.structured
    if content.get("logged_in") is True:
        return replace(login, state="done", picture="", nickname=str(content.get("nickname") or ""), asked=now)
    state = _STEPS.get(str(content.get("login_step")), login.state)
    picture = "" if state == "expired" else login.picture
    return replace(login, state=state, picture=picture, advice=str(content.get("next_step") or ""), asked=now)


def _time(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None
