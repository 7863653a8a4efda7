"""Reads the data of shared videos over HTTP.

Until August 2026 a share page had the video's data in itself; since then its script asks for the data by a call that
needs no login and no signature. Both are read, the present way first.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import httpx2
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.upstream.http import ENDPOINT, create_client

from douyin_server.browsing.platform import DOMAINS
from douyin_server.browsing.walls import WALLS
from douyin_server.config import SiteSettings
from douyin_server.model.references import VideoReference
from douyin_server.reading.parse import Json, as_object, id_of
from douyin_server.texts import tr_lazy

# Other callers wait while a request is under way.
_TIMEOUT_SECONDS = 5.0
_ROUTER_DATA = re.compile(r"window\._ROUTER_DATA\s*=\s*")
#: The parameter with which the site also answers for sets of pictures.
_PICTURES = {"request_source": "200"}
_ACCOUNT_WALLS = (ErrorCode.CAPTCHA_REQUIRED, ErrorCode.RATE_LIMITED)


class Shares:
    """Reads shared videos without a browser; callers hold a turn of an account."""

    def __init__(self, settings: SiteSettings, metrics: Metrics | None = None) -> None:
        self._api_url = settings.api_url
        own_hosts = [urlsplit(url).hostname or "" for url in (settings.base_url, settings.api_url)]
        self._client = create_client(
            [*DOMAINS, *(f"*.{domain}" for domain in DOMAINS), *own_hosts],
            metrics=metrics,
            timeout=_TIMEOUT_SECONDS,
            attempts=2,
            follow_redirects=False,
        )

    async def video(self, reference: VideoReference) -> Json | None:
        """Return the site's object of a shared video; None when the share pages do not have it.

        Raises:
            ServiceError: CAPTCHA_REQUIRED or RATE_LIMITED; UPSTREAM_UNREACHABLE or UPSTREAM_CHANGED without an answer.
        """
        attempts: list[dict[str, str]] = [{}, _PICTURES]
        if reference.kind in ("note", "slides"):
            attempts.reverse()
        for parameters in attempts:
            if aweme := await self._by_call(reference.video_id, parameters):
                return aweme
        return await self._in_page(reference)

    async def _by_call(self, video_id: str, parameters: dict[str, str]) -> Json | None:
        query = {"reflow_source": "reflow_page", "aweme_ids": f"[{video_id}]", **parameters}
        answer = await self._get("/web/api/v2/aweme/slidesinfo/", "slidesinfo", query)
        details = as_object(answer and _json(answer.text)).get("aweme_details")
        return _of_id(details, video_id)

    async def _in_page(self, reference: VideoReference) -> Json | None:
        answer = await self._get(f"/share/{reference.kind or 'video'}/{reference.video_id}/", "share_page", {})
        match = _ROUTER_DATA.search(answer.text) if answer else None
        if answer is None or match is None:
            return None
        loaded = as_object(as_object(_json(answer.text[match.end() :])).get("loaderData"))
        for page in loaded.values():
            listed = as_object(as_object(page).get("videoInfoRes")).get("item_list")
            if aweme := _of_id(listed, reference.video_id):
                return aweme
        return None

    async def _get(self, path: str, endpoint: str, query: dict[str, str]) -> httpx2.Response | None:
        answer = await self._client.get(f"{self._api_url}{path}", params=query, extensions={ENDPOINT: endpoint})
        _refuse_failure(answer)
        wall = WALLS.of_answer(answer.status_code, _json(answer.text)) if answer.text else None
        wall = wall or WALLS.of_status(answer.status_code)
        if wall is not None and wall.code in _ACCOUNT_WALLS and not wall.guessed:
            raise wall.error()
        return answer if answer.status_code == 200 else None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _refuse_failure(answer: httpx2.Response) -> None:
    """Raise ServiceError (UPSTREAM_UNREACHABLE) for an answer by which the site says that it failed."""
    if answer.status_code >= 500:
        raise ServiceError(
            ErrorCode.UPSTREAM_UNREACHABLE,
            tr_lazy("Douyin had an error (HTTP {status})", status=answer.status_code),
        )


def _of_id(awemes: Any, video_id: str) -> Json | None:
    listed = map(as_object, awemes) if isinstance(awemes, list) else ()
    return next((aweme for aweme in listed if id_of(aweme) == video_id), None)


def _json(text: str) -> Any:
    """Return the JSON value at the start of a text, or None when there is none."""
    try:
        return json.JSONDecoder().raw_decode(text.lstrip())[0]
    except ValueError:
        return None
