"""Tells what of the official API can be used at present, for the status of an account."""

from __future__ import annotations

from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.times import iso_local
from dyber_kit.upstream.sharing import SharedWork

from zhihu_server.config import SECRET_SETTING, ZhihuSettings
from zhihu_server.model.answers import QuotaItem
from zhihu_server.official.api import OfficialApi, ToldQuota, title_of
from zhihu_server.texts import tr, tr_lazy

_NO_SECRET = tr_lazy(
    "Without the secret {setting}, everything is read from pages; there is no web search", setting=SECRET_SETTING
)


class OfficialFacts:
    """Reads the quotas.

    Args:
        official: Knows the quotas.
        settings: The settings of this service.
    """

    def __init__(self, official: OfficialApi, settings: ZhihuSettings) -> None:
        self._official = official
        self._settings = settings
        self._sharing = SharedWork()

    async def read(self, _account: str = "") -> dict[str, Any]:
        """Return the quotas and what may be used; reading them costs nothing, and works during a pause, too."""
        is_configured = self._official.is_configured
        facts: dict[str, Any] = {
            "source": "official" if is_configured else "browser",
            "official": is_configured,
            "ask_allowed": self._settings.allow_ask and is_configured,
            "warnings": [] if is_configured else [str(_NO_SECRET)],
        }
        told: dict[str, ToldQuota] = {}
        if is_configured:
            try:
                told = await self._sharing.run("quotas", self._official.quotas)
            except ServiceError as error:
                facts["warnings"].append(
                    tr("Zhihu does not tell the quotas ({code}); these are the counts of this service", code=error.code)
                )
                if error.code is ErrorCode.LOGIN_EXPIRED:
                    facts["next_step"] = error.next_step
        return {**facts, **await self._quotas(told)}

    async def _quotas(self, told: dict[str, ToldQuota]) -> dict[str, Any]:
        """Return what is left of each part of the API: the lower of what Zhihu told and what this service counted."""
        quotas: list[QuotaItem] = []
        resets_at = ""
        for name, count in self._official.counts.items():
            await count.refresh()
            known = count.status
            if name in told:
                total, used, left = told[name].total, told[name].used, min(told[name].left, known.left)
            elif told:
                continue  # The account has no access to this part.
            else:
                total, used, left = known.per_day, known.used, known.left
            quotas.append(
                QuotaItem(name=name, title=title_of(name), total=total, used=used, left=left, used_here=known.used)
            )
            resets_at = iso_local(known.resets_at) or ""
        return {"quotas": quotas, "quotas_reset_at": resets_at}
