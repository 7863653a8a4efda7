"""Reads who is logged in."""

from __future__ import annotations

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.upstream.sharing import SharedWork
from dyber_kit.website.login_answers import RISKS

from weibo_server.browsing.platform import MOBILE_CONFIG, MOBILE_LIST
from weibo_server.browsing.walls import WALLS
from weibo_server.model.references import UserReference
from weibo_server.reading.parse import Parser
from weibo_server.reading.reader import SitePageVisit, SiteReader

_LOGIN = (ErrorCode.LOGIN_REQUIRED, ErrorCode.LOGIN_EXPIRED)


class Members:
    """Tells which user an account is logged in as.

    Args:
        reader: Opens pages.
        pages: Knows the accounts.
        parser: Hides users.
    """

    def __init__(self, reader: SiteReader, pages: Pages, parser: Parser) -> None:
        self._reader = reader
        self._pages = pages
        self._privacy = parser.privacy
        self._sharing = SharedWork()

    async def shown(self, account: str) -> dict[str, str | None] | None:
        """Return what answers tell of the user who is logged in; None for a guest."""
        member = await self._member(account)
        if member is None:
            return None
        uid, name = member
        return {"user_id": self._privacy.user_id(uid), "nickname": self._privacy.nickname(name)}

    async def reference(self, account: str = "") -> UserReference:
        """Return the user who is logged in. Raises ServiceError (LOGIN_REQUIRED) for a guest."""
        account = self._pages.account(account)
        member = await self._sharing.run(account, lambda: self._member(account))
        if member is None:
            raise WALLS.wall(ErrorCode.LOGIN_REQUIRED).error()
        return UserReference(uid=member[0])

    async def _member(self, account: str) -> tuple[str, str | None] | None:
        """Return number and nickname of the user who is logged in; None for a guest."""
        try:
            async with self._reader.mobile(account, "/") as page:
                data = (await page.ask(MOBILE_CONFIG, {})).get("data")
                if not isinstance(data, dict) or "login" not in data:
                    raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
                uid = str(data.get("uid") or "")
                if data["login"] is not True or not uid:
                    return None
                return uid, await _nickname(page, uid)
        except ServiceError as error:
            if error.code in _LOGIN:
                return None
            raise


async def _nickname(page: SitePageVisit, uid: str) -> str | None:
    try:
        data = (await page.ask(MOBILE_LIST, {"type": "uid", "value": uid})).get("data")
    except ServiceError as error:
        if error.code in RISKS:
            raise
        return None
    user = data.get("userInfo") if isinstance(data, dict) else None
    name = user.get("screen_name") if isinstance(user, dict) else None
    return name if isinstance(name, str) else None
