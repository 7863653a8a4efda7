"""Tells how many requests GitHub still allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.times import iso_utc

from github_server.model.answers import LimitItem, RateLimits
from github_server.model.wire import WireLimit
from github_server.reading.api import GitHub, now
from github_server.translations import tr, tr_lazy

_ANONYMOUS = tr_lazy(
    "No token: 60 requests an hour, no search of code, no private content; once the operator sets the secret "
    "GITHUB_TOKEN, 5000 an hour"
)
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
        next_step=None if github.has_token else str(_ANONYMOUS),
        fetched_at=now(),
    )
    try:
        # Asking for this costs nothing.
        told = await github.get("/rate_limit")
    except ServiceError as error:
        if error.code is ErrorCode.RATE_LIMITED:
            answer.source = "cache"
            answer.limits = _known(github)
            answer.warnings = [
                tr("GitHub does not answer now ({cause}); these are the limits that it told last", cause=error.message)
            ]
        elif error.code is ErrorCode.NOT_FOUND:
            answer.warnings = [tr("This GitHub has no rate limits")]
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
