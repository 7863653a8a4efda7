"""Keeps answers with their ETags, so that a platform can say that they have not changed instead of sending them again."""

from __future__ import annotations

import logging

import httpx2
from pydantic import BaseModel, ValidationError

from dyber_kit.upstream.api.answers import ApiAnswer
from dyber_kit.upstream.cache import Cache

logger = logging.getLogger("dyber.conditional")

#: Headers that are kept with an answer, because readers need them.
_KEPT_HEADERS = ("content-type", "link", "x-total-count", "etag", "last-modified")
_LARGEST_BODY = 512 * 1024


class KeptAnswer(BaseModel):
    """Holds an answer and what the platform needs to tell whether it has changed."""

    status: int
    headers: dict[str, str]
    text: str
    url: str

    def conditions(self) -> dict[str, str]:
        """Return the headers that ask for the answer only if it has changed."""
        conditions = {}
        if "etag" in self.headers:
            conditions["If-None-Match"] = self.headers["etag"]
        if "last-modified" in self.headers:
            conditions["If-Modified-Since"] = self.headers["last-modified"]
        return conditions

    def answer(self, confirmed: ApiAnswer) -> ApiAnswer:
        """Return the kept answer, which the answer `confirmed` (a 304) says still holds."""
        headers = httpx2.Headers({**self.headers, **dict(confirmed.headers.items())})
        for name in ("content-length", "content-type", "link"):
            headers.pop(name, None)
            if name in self.headers:
                headers[name] = self.headers[name]
        url = httpx2.URL(self.url)
        return ApiAnswer(self.status, headers, self.text.encode(), url, confirmed.request_id, unchanged=True)


class KeptAnswers:
    """Keeps the answers of one account on one platform in the cache.

    Args:
        cache: Where they are kept.
        name: The platform.
        identity: The account; answers of different accounts are never mixed, and their ETags differ.
        seconds: How long an answer is kept.
    """

    def __init__(self, cache: Cache, name: str, identity: str, seconds: float) -> None:
        self._cache = cache
        self._prefix = f"etag:{name}:{identity}:"
        self._seconds = seconds

    def key(self, request: httpx2.Request) -> str:
        """Return the key under which the answer to a request is kept; the request must not be signed yet."""
        return f"{self._prefix}{request.headers.get('accept', '')} {request.url}"

    async def find(self, key: str) -> KeptAnswer | None:
        """Return the answer that is kept under a key, or None."""
        kept = await self._cache.get(key)
        if kept is None:
            return None
        try:
            return KeptAnswer.model_validate(kept)
        except ValidationError:
            return None

    async def keep(self, key: str, answer: ApiAnswer) -> None:
        """Keep an answer that can be confirmed later; others are ignored."""
        headers = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        if (
            answer.status != 200
            or not headers.keys() & {"etag", "last-modified"}
            or "no-store" in answer.headers.get("cache-control", "")
            or len(answer.content) > _LARGEST_BODY
        ):
            return
        try:
            text = answer.content.decode()
        except UnicodeDecodeError:
            return
        # The address has no token here, because the answer's address is that of the unsigned request.
        kept = KeptAnswer(status=200, headers=headers, text=text, url=str(answer.url))
        await self._cache.set(key, kept, self._seconds)
