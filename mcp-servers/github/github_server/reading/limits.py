"""Tells how many requests GitHub still allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.times import iso_utc

from github_server.model.answers import LimitItem, RateLimits
from github_server.model.wire import WireLimit
from github_server.reading.api import GitHub, now

_ANONYMOUS = "没有令牌：每小时 60 次请求，不能搜索代码，读不到私有内容；管理员设置机密 GITHUB_TOKEN 后每小时 5000 次"
#: The limits that the tools use, in GitHub's names.
_SHOWN = ("core", "search", "code_search")


async def rate_limits(github: GitHub) -> RateLimits:
    """Return the rate limits, as GitHub tells them now or, when it refuses, as it told them last.

    Raises:
        ServiceError: GitHub cannot be reached, or does not accept the token.
    """
    answer = RateLimits(
        authenticated=github.has_token,
        api=github.settings.api_url,
        next_step=None if github.has_token else _ANONYMOUS,
        fetched_at=now(),
    )
    try:
        # Asking for this costs nothing.
        told = await github.get("/rate_limit")
    except ServiceError as error:
        if error.code is ErrorCode.RATE_LIMITED:
            answer.source = "cache"
            answer.limits = _known(github)
            answer.warnings = [f"GitHub 现在不回答（{error.message}），这是它上一次说的余量"]
        elif error.code is ErrorCode.NOT_FOUND:
            answer.warnings = ["这个 GitHub 没有启用频率限制"]
        else:
            raise
        return answer
    limits = told.model(dict[str, WireLimit], "resources")
    answer.limits = [
        LimitItem(
            name=name,
            limit=limits[name].limit,
            remaining=limits[name].remaining,
            reset_at=_time(limits[name].reset),
        )
        for name in _SHOWN
        if name in limits
    ]
    answer.scopes = [scope.strip() for scope in told.headers.get("x-oauth-scopes", "").split(",") if scope.strip()]
    return answer


def _known(github: GitHub) -> list[LimitItem]:
    present = datetime.now(UTC)
    return [
        LimitItem(
            name=limit.resource,
            limit=limit.limit,
            remaining=limit.remaining,
            reset_at=iso_utc(present + timedelta(seconds=limit.reset_seconds)) if limit.reset_seconds else None,
        )
        for limit in github.known_limits
    ]


def _time(seconds: int | None) -> str | None:
    return None if seconds is None else iso_utc(datetime.fromtimestamp(seconds, UTC))
