"""Asks the official API for hot lists and for the platform's summary of what is posted."""

from __future__ import annotations

from typing import Any

from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.upstream.api.answers import ApiAnswer
from dyber_kit.upstream.api.client import ApiClient
from dyber_kit.upstream.api.credentials import Token, TokenSource, identity_of, read_token, token_parameter
from dyber_kit.upstream.api.errors import ErrorRules
from dyber_kit.upstream.api.quotas import Quota
from dyber_kit.upstream.api.requests import ApiLimits, Parameters
from pydantic import BaseModel, ConfigDict, Field

from weibo_server.config import WeiboSettings
from weibo_server.texts import tr_lazy

_TOKEN_SECONDS = 7200


class WireHotWord(BaseModel):
    """Describes a topic as the official API sends it."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: int | None = None
    word: str = Field(max_length=300)
    num: str | None = None
    flag: str | None = None
    h5_query_link: str | None = None


class WireHotList(BaseModel):
    """Describes a hot list as the official API sends it."""

    callTime: str | None = None
    source: str | None = None
    data: list[WireHotWord]


class WireSummary(BaseModel):
    """Describes a summary as the official API sends it."""

    completed: bool = False
    analyzing: bool = False
    noContent: bool = False
    content: str | None = None
    referenceCount: int | None = None
    callTime: str | None = None
    source: str | None = None


class OfficialApi:
    """Asks the official API.

    Args:
        settings: Its address, and the credentials.
        quota: Counts requests.
        metrics: Where requests are counted.
    """

    def __init__(self, settings: WeiboSettings, quota: Quota, metrics: Metrics) -> None:
        self.quota = quota
        self.configured = bool(settings.app_id and settings.app_secret)
        credentials = {"app_id": settings.app_id or "", "app_secret": settings.app_secret or ""}

        async def fetch(client: ApiClient) -> Token:
            answer = await client.post("/open/auth/ws_token", json=credentials, has_effect=False, signed=False)
            return read_token(answer.at("data.token"), answer.at("data.expire_in") or _TOKEN_SECONDS)

        self._client = ApiClient(
            settings.api_url,
            name="weibo",
            tokens=TokenSource(fetch, identity=identity_of(credentials["app_id"]), place=token_parameter("token")),
            errors=ErrorRules(
                code_at="code", codes={40100: ErrorCode.LOGIN_EXPIRED}, key_setting="WEIBO_APP_ID / WEIBO_APP_SECRET"
            ),
            limits=ApiLimits(in_flight=1, total_seconds=30),
            metrics=metrics,
        )

    async def hot_list(self, board: str, count: int) -> WireHotList:
        """Return a hot list. Raises ServiceError: NOT_CONFIGURED, or the API's refusal."""
        answer = await self._get("/open/weibo/hot_search", {"category": board, "count": count})
        return answer.model(WireHotList, "data")

    async def summary(self, query: str) -> WireSummary:
        """Return the platform's summary for a query. Raises ServiceError: NOT_CONFIGURED, or the API's refusal."""
        answer = await self._get("/open/wis/search_query", {"query": query})
        return answer.model(WireSummary, "data")

    async def left_today(self) -> int | None:
        """Return how many requests are left today; None without credentials."""
        if not self.configured:
            return None
        await self.quota.refresh()
        return self.quota.status.left

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _get(self, path: str, params: Parameters) -> ApiAnswer:
        if not self.configured:
            raise not_configured()
        return await self._client.get(path, params=params, quota=self.quota)


def not_configured(**more: Any) -> ServiceError:
    """Return the error for what needs the credentials of the official API."""
    return ServiceError(
        ErrorCode.NOT_CONFIGURED,
        tr_lazy("This needs Weibo's official API, and WEIBO_APP_ID and WEIBO_APP_SECRET are not set"),
        tr_lazy(
            "Ask the operator to send “连接龙虾” to @微博龙虾助手 in Weibo's direct messages, and to set the App ID and "
            "App Secret that come back; only 主榜 is also read without them"
        ),
        **more,
    )
