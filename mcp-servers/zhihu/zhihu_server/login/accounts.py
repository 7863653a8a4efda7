"""Tells which account is logged in and what is left of the quotas, and gets QR codes for logins."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.logins import Code, Logins, Progress
from dyber_kit.browser.pages import Pages
from dyber_kit.times import iso_local, stamp
from dyber_kit.upstream.privacy import Privacy
from dyber_kit.upstream.sharing import SharedWork

from zhihu_server.browsing.platform import LOGIN
from zhihu_server.browsing.site import LOGIN_STEP, SiteReader
from zhihu_server.config import SECRET_SETTING, ZhihuSettings
from zhihu_server.model.answers import QuotaItem, Status
from zhihu_server.official.api import OfficialApi, ToldQuota, title_of
from zhihu_server.texts import tr, tr_lazy

_RISKS = {
    ErrorCode.CAPTCHA_REQUIRED: "captcha",
    ErrorCode.RATE_LIMITED: "limited",
    ErrorCode.ACCESS_RESTRICTED: "restricted",
}
_NO_SECRET = tr_lazy(
    "Without the secret {setting}, everything is read from pages; there is no web search", setting=SECRET_SETTING
)


class Accounts:
    """Answers the tools for status and login.

    Args:
        site: Reads who is logged in.
        pages: Knows the accounts, their sessions and the pause.
        logins: Gets QR codes and watches their logins.
        official: Knows the quotas.
        settings: The settings of this service.
        privacy: Hides users.
    """

    def __init__(
        self,
        site: SiteReader,
        pages: Pages,
        logins: Logins,
        official: OfficialApi,
        settings: ZhihuSettings,
        privacy: Privacy,
    ) -> None:
        self._site = site
        self._pages = pages
        self._logins = logins
        self._official = official
        self._settings = settings
        self._privacy = privacy
        self._sharing = SharedWork()

    async def status(self, account: str, check_login: bool) -> Status:
        """Return the quotas, and whether the account is logged in; this works during a pause, too.

        While a QR code waits for its scan, no page is opened. Raises ServiceError when the page cannot be read for
        another reason than a pause.
        """
        account = self._pages.account(account)
        answer = Status(
            source="official" if self._official.is_configured else "browser",
            fetched_at=stamp(),
            official=self._official.is_configured,
            ask_allowed=self._settings.allow_ask and self._official.is_configured,
            quotas=[],
            quotas_reset_at="",
            account=account,
        )
        await self._add_quotas(answer)
        written = self._pages.session_stamp(account)
        answer.session_days = round((time.time() - written / 1e9) / 86_400, 1) if written else None
        progress = self._logins.progress(account)
        if progress is not None:
            answer.login_step = progress.step
            answer.next_step = self._advice(progress)
        if progress is not None and progress.pending:
            answer.logged_in = False
        elif check_login:
            await self._add_visitor(answer, account)
        if (pause := self._pages.pause(account)) is not None:
            answer.risk, answer.paused_until = _RISKS.get(pause.code, "limited"), iso_local(pause.until)
        return answer

    async def code(self, account: str) -> tuple[str, Code | None]:
        """Return the full name of the account, and a QR code to log it in, or None when it is logged in."""
        account = self._pages.account(account)
        return account, await self._logins.start(account)

    async def _add_quotas(self, answer: Status) -> None:
        told: dict[str, ToldQuota] = {}
        if self._official.is_configured:
            try:
                told = await self._sharing.run("quotas", self._official.quotas)
            except ServiceError as error:
                answer.warnings.append(
                    tr("Zhihu does not tell the quotas ({code}); these are the counts of this service", code=error.code)
                )
                if error.code is ErrorCode.LOGIN_EXPIRED:
                    answer.next_step = error.next_step
        else:
            answer.warnings.append(str(_NO_SECRET))
        for name, count in self._official.counts.items():
            await count.refresh()
            known = count.status
            if name in told:
                total, used, left = told[name].total, told[name].used, min(told[name].left, known.left)
            elif told:
                continue  # The account has no access to this part.
            else:
                total, used, left = known.per_day, known.used, known.left
            answer.quotas.append(
                QuotaItem(name=name, title=title_of(name), total=total, used=used, left=left, used_here=known.used)
            )
            answer.quotas_reset_at = iso_local(known.resets_at) or ""

    async def _add_visitor(self, answer: Status, account: str) -> None:
        try:
            name = await self._sharing.run(account, lambda: self._site.visitor(account))
        except ServiceError as error:
            if error.code is ErrorCode.LOGIN_EXPIRED:
                answer.logged_in, answer.next_step = False, str(LOGIN_STEP)
                self._pages.note_login(account, False)
                return
            if error.code not in _RISKS:
                raise
            until = datetime.now(UTC) + timedelta(seconds=error.retry_after or 0)
            answer.risk = _RISKS[error.code]
            answer.paused_until = iso_local(until) if error.retry_after else None
            answer.next_step = error.next_step
            return
        answer.logged_in = name is not None
        answer.nickname = self._privacy.nickname(name or None)
        self._pages.note_login(account, name is not None)
        if name is None and answer.login_step is None:
            answer.next_step = str(LOGIN_STEP)
        elif name is not None:
            answer.login_step, answer.next_step = None, None

    def _advice(self, progress: Progress) -> str:
        title = self._pages.platform.title
        return LOGIN.advice(title, progress.step, progress.expires_at, self._pages.attached)
