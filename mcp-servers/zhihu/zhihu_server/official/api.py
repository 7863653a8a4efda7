"""Asks Zhihu's official API: search, hot list, excerpts of answers, generated answers, and what is left of the quotas."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx2
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.errors import LocalRefusal
from dyber_kit.language import Text
from dyber_kit.upstream.api.answers import ApiAnswer
from dyber_kit.upstream.api.client import ApiClient
from dyber_kit.upstream.api.credentials import identity_of
from dyber_kit.upstream.api.errors import ErrorRules
from dyber_kit.upstream.api.quotas import Quota
from dyber_kit.upstream.api.requests import ApiLimits, ApiRequest, Parameters
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.shared_limits import SharedLimits

from zhihu_server.config import ASK_SETTING, SECRET_SETTING, ZhihuSettings
from zhihu_server.texts import tr_lazy

#: The API's own names of its quotas.
ApiName = Literal["zhihu_search", "global_search", "hot_list", "question_answers", "zhida_openai"]
Model = Literal["fast", "thinking", "agent"]

MAX_SEARCH, MAX_WEB_SEARCH, MAX_HOT, MAX_ANSWERS = 10, 20, 30, 50
_MODELS: dict[Model, str] = {"fast": "zhida-fast-1p5", "thinking": "zhida-thinking-1p5", "agent": "zhida-agent"}
_TITLES: dict[ApiName, Text] = {
    "zhihu_search": tr_lazy("the search on Zhihu"),
    "global_search": tr_lazy("the search on the web"),
    "hot_list": tr_lazy("the hot list"),
    "question_answers": tr_lazy("answers to questions"),
    "zhida_openai": tr_lazy("generated answers"),
}
_CODES: dict[int | str, ErrorCode] = {
    10001: ErrorCode.INVALID_ARGUMENT,
    20001: ErrorCode.LOGIN_EXPIRED,
    # This is a rate limit or a used-up daily quota: `_explained` finds out which.
    30001: ErrorCode.RATE_LIMITED,
    30002: ErrorCode.QUOTA_EXHAUSTED,
    30003: ErrorCode.ACCESS_RESTRICTED,
    90001: ErrorCode.UPSTREAM_UNREACHABLE,
}
_RISK = 30003
_RISK_PAUSE_SECONDS = 900.0


@dataclass(frozen=True)
class ToldQuota:
    """Holds what Zhihu says about the quota of an API."""

    total: int
    used: int
    left: int


class _ChatRules(ErrorRules):
    """Reads refusals of generated answers; an answer in the form of chat completions has no `Code`."""

    def error(self, answer: ApiAnswer, *, signed: bool, secrets: Collection[str] = ()) -> ServiceError | None:
        """Return the error that an answer means, or None for success; see `ErrorRules.error`."""
        if 200 <= answer.status < 300 and answer.at("Code") is None:
            return None
        return super().error(answer, signed=signed, secrets=secrets)


class OfficialApi:
    """Asks the API for the readers of this package.

    Each of its parts has a client of its own, so that a limit of one part does not hold up the others.

    Args:
        settings: The address, the Access Secret and the daily maxima.
        data_dir: Folder where counts survive a restart, or None.
        metrics: Where requests and quotas are counted.
        shared: The limits of all replicas, or None.
    """

    def __init__(
        self, settings: ZhihuSettings, data_dir: Path | None, metrics: Metrics, shared: SharedLimits | None
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        per_day: dict[ApiName, int] = {
            "zhihu_search": settings.search_per_day,
            "global_search": settings.search_per_day,
            "hot_list": settings.hot_per_day,
            "question_answers": settings.answers_per_day,
            "zhida_openai": settings.ask_per_day,
        }
        #: The counts of this service; the account's other programs are not in them.
        self.counts: dict[ApiName, Quota] = {
            name: Quota(
                f"zhihu-{name.replace('_', '-')}",
                per_day=most,
                title=_TITLES[name],
                data_dir=data_dir,
                shared=shared,
                metrics=metrics,
            )
            for name, most in per_day.items()
        }
        breaker = Breaker(
            "zhihu-official",
            pause_seconds=_RISK_PAUSE_SECONDS,
            opens_on=lambda error: error.code is ErrorCode.ACCESS_RESTRICTED and error.whole_account,
            data_dir=data_dir,
            shared=shared,
            metrics=metrics,
        )
        rules = ErrorRules(
            code_at="Code",
            message_at="Message",
            codes=_CODES,
            account_refusals=(_RISK,),
            key_setting=SECRET_SETTING,
        )
        self._clients: dict[ApiName, ApiClient] = {
            name: self._client(rules, ApiLimits(in_flight=2, total_seconds=15, attempts=2), breaker)
            for name in ("zhihu_search", "global_search", "hot_list", "question_answers")
        }
        # A second attempt would cost quota again.
        limits = ApiLimits(in_flight=1, total_seconds=100, attempts=1)
        self._clients["zhida_openai"] = self._client(_ChatRules(**vars(rules)), limits, breaker)
        self._quotas = self._client(rules, ApiLimits(in_flight=1, total_seconds=8, attempts=1), None)

    def _client(self, rules: ErrorRules, limits: ApiLimits, breaker: Breaker | None) -> ApiClient:
        secret = self._settings.secret

        def sign(request: httpx2.Request) -> None:
            request.headers["Authorization"] = f"Bearer {secret}"
            request.headers["X-Request-Timestamp"] = str(int(time.time()))

        return ApiClient(
            self._settings.api_url,
            name="zhihu",
            signer=sign if secret else None,
            identity=identity_of(secret) if secret else None,
            errors=rules,
            headers={"User-Agent": "dyber-zhihu-mcp", "Content-Type": "application/json"},
            limits=limits,
            breaker=breaker,
            metrics=self._metrics,
        )

    async def close(self) -> None:
        """Close the connections."""
        for client in (*self._clients.values(), self._quotas):
            await client.close()

    @property
    def is_configured(self) -> bool:
        """Return whether there is an Access Secret."""
        return self._settings.secret is not None

    async def search(self, query: str, count: int) -> list[dict[str, Any]]:
        """Return up to 10 answers and articles of Zhihu."""
        answer = await self._get("zhihu_search", {"Query": query, "Count": count})
        return items_of(answer, "Title", "Url")

    async def search_web(self, query: str, count: int, condition: str) -> list[dict[str, Any]]:
        """Return up to 20 pages of the web; `condition` is in the API's language of filters."""
        params: Parameters = {"Query": query, "Count": count, "Filter": condition or None}
        return items_of(await self._get("global_search", params), "Title", "Url")

    async def hot_list(self) -> list[dict[str, Any]]:
        """Return the whole hot list."""
        return items_of(await self._get("hot_list", {"Limit": MAX_HOT}), "Title", "Url")

    async def answers(self, question_url: str, offset: int, limit: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return excerpts of answers to a question, and where the list goes on: `IsEnd`, `NextOffset`, `Totals`."""
        params: Parameters = {"QuestionUrl": question_url, "Offset": offset, "Limit": limit}
        answer = await self._get("question_answers", params)
        paging = answer.at("Data.Paging")
        return items_of(answer, "Summary", "Url"), paging if isinstance(paging, dict) else {}

    async def ask(self, query: str, model: Model) -> str:
        """Return a text that Zhihu generates about a question.

        Raises:
            ServiceError: NOT_CONFIGURED unless the operator allows it.
        """
        self._require_secret()
        if not self._settings.allow_ask:
            raise ServiceError(
                ErrorCode.NOT_CONFIGURED,
                tr_lazy("Generated answers are switched off, because each costs quota"),
                tr_lazy("Ask the operator to set {setting}=true, or use zhihu_search_content", setting=ASK_SETTING),
            )
        body = {"model": _MODELS[model], "messages": [{"role": "user", "content": query}], "stream": False}
        request = ApiRequest(
            "POST",
            "/v1/chat/completions",
            json=body,
            has_effect=False,
            quota=self.counts["zhida_openai"],
        )
        answer = await self._send("zhida_openai", request)
        text = answer.at("choices.0.message.content")
        if not isinstance(text, str) or not text.strip():
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED, request_id=answer.request_id)
        return text

    async def quotas(self) -> dict[str, ToldQuota]:
        """Return the quotas by the API's names, as Zhihu tells them; asking is free.

        Raises:
            ServiceError: Zhihu's refusal, or UPSTREAM_CHANGED.
        """
        self._require_secret()
        answer = await self._quotas.get("/api/v1/quota")
        listed = answer.at("Data")
        if not isinstance(listed, list):
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED, request_id=answer.request_id)
        told = {}
        for entry in listed:
            if isinstance(entry, dict) and isinstance(entry.get("APIID"), str):
                numbers = [_whole(entry.get(name)) for name in ("TotalQuota", "TotalUsed", "RemainingQuota")]
                total, used, left = numbers
                if total is not None and left is not None:
                    told[entry["APIID"]] = ToldQuota(total, used if used is not None else max(0, total - left), left)
        return told

    async def _get(self, name: ApiName, params: Parameters) -> ApiAnswer:
        self._require_secret()
        request = ApiRequest("GET", f"/api/v1/content/{name}", params=params, quota=self.counts[name])
        return await self._send(name, request)

    async def _send(self, name: ApiName, request: ApiRequest) -> ApiAnswer:
        # A used-up quota is told as such, also while the client waits after the refusal that told it.
        self.counts[name].check()
        try:
            return await self._clients[name].send(request)
        except ServiceError as error:
            if error.code is ErrorCode.RATE_LIMITED and not isinstance(error, LocalRefusal):
                raise await self._explained(name, error) from error
            raise

    async def _explained(self, name: ApiName, error: ServiceError) -> ServiceError:
        """Return QUOTA_EXHAUSTED in place of a rate limit when Zhihu says that nothing is left of the day's quota."""
        try:
            told = (await self.quotas()).get(name)
        except ServiceError:
            return error
        if told is None or told.left > 0:
            return error
        wait = await self.counts[name].refuse_until_reset()
        message = tr_lazy("The day's quota of {title} ({total}) is used up", title=_TITLES[name], total=told.total)
        return ServiceError(ErrorCode.QUOTA_EXHAUSTED, message, retry_after=wait, request_id=error.request_id)

    def _require_secret(self) -> None:
        if not self.is_configured:
            raise ServiceError(
                ErrorCode.NOT_CONFIGURED,
                tr_lazy("This needs the official API, and {setting} is not set", setting=SECRET_SETTING),
                tr_lazy(
                    "Ask the operator to get an Access Secret from developer.zhihu.com, to set it as the secret "
                    "{setting} and to deploy again",
                    setting=SECRET_SETTING,
                ),
            )


def title_of(name: ApiName) -> str:
    """Return what a quota is for, for people."""
    return str(_TITLES[name])


def items_of(answer: ApiAnswer, *needed: str) -> list[dict[str, Any]]:
    """Return the items of an answer that have one of the needed fields.

    Raises:
        ServiceError: UPSTREAM_CHANGED when there is no list, or when no item of it is readable.
    """
    listed = answer.at("Data.Items")
    if listed is None and isinstance(answer.at("Data"), dict) and answer.at("Data.EmptyReason"):
        return []
    if not isinstance(listed, list):
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED, request_id=answer.request_id)
    kept = [item for item in listed if isinstance(item, dict) and any(item.get(name) for name in needed)]
    if listed and not kept:
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED, request_id=answer.request_id)
    return kept


def _whole(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() and not isinstance(value, bool) else None
