"""Collects the answers to the calls by which a page searches, also those that arrive as a stream of JSON objects."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dyber_kit.browser.walls import Wall
from dyber_kit.upstream.values import Json, as_list, as_object
from playwright.async_api import Error, Page, Response

from douyin_server.browsing.platform import PLATFORM, SEARCH_CALLS
from douyin_server.browsing.walls import WALLS
from douyin_server.reading.parse import id_of

#: What the site writes in place of results when it wants a human verification.
VERIFY = "verify_check"
_FILTERS = ("sort_type", "publish_time")


class SearchAnswers:
    """Holds what a page's searches were answered.

    Args:
        page: A page before its address is opened.
    """

    def __init__(self, page: Page) -> None:
        #: The answers in the order of their arrival.
        self.documents: list[Json] = []
        #: The filters that the page sent with its latest search.
        self.sent: dict[str, str] = {}
        #: The refusal of the latest search, or None; the page repeats a search that was refused.
        self.wall: Wall | None = None
        page.on("response", self._on_response)

    def videos(self) -> dict[str, Json]:
        """Return the objects of all videos in the answers by id, in the site's order."""
        listed: dict[str, Json] = {}
        for document in self.documents:
            for entry in as_list(document.get("data")):
                for aweme in _awemes(as_object(entry)):
                    if video_id := id_of(aweme):
                        listed.setdefault(video_id, aweme)
        return listed

    @property
    def has_entries(self) -> bool:
        """Return whether an answer has entries of any kind."""
        return any(document.get("data") for document in self.documents)

    @property
    def ended(self) -> bool:
        """Return whether the site has said that there are no more results."""
        saying = [document["has_more"] for document in self.documents if "has_more" in document]
        return bool(saying) and str(saying[-1]) in ("0", "False")

    @property
    def reason_for_nothing(self) -> str:
        """Return the site's word for why an answer has no results, such as `verify_check`; "" without one."""
        reasons = [as_object(document.get("search_nil_info")).get("search_nil_type") for document in self.documents]
        return next((str(reason) for reason in reversed(reasons) if reason), "")

    async def _on_response(self, response: Response) -> None:
        name = PLATFORM.calls.name(response.url)
        if name is None or not name.endswith(SEARCH_CALLS):
            return
        self.sent = _filters(response.url)
        try:
            body = (await response.body()).decode(errors="replace")
        except Error:
            body = ""
        documents = json_objects(body)
        self.wall = None if documents else WALLS.of_answer(response.status, None)
        for document in documents:
            if wall := WALLS.of_answer(response.status, document):
                self.wall = wall
            else:
                self.documents.append(document)


def json_objects(body: str) -> list[Json]:
    """Return the JSON objects in a body: of a single one, or of a stream that puts other characters between them."""
    decoder = json.JSONDecoder()
    objects: list[Json] = []
    start = body.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(body, start)
        except ValueError:
            break
        objects.append(value)
        start = body.find("{", end)
    return objects


def _awemes(entry: Json) -> list[Json]:
    if entry.get("aweme_info"):
        return [as_object(entry["aweme_info"])]
    return [as_object(item) for item in as_list(as_object(entry.get("aweme_mix_info")).get("mix_items"))]


def _filters(url: str) -> dict[str, str]:
    """Return the filters in the address of a search, where they stand by themselves or in a JSON object."""
    query = parse_qs(urlsplit(url).query)
    chosen: dict[str, Any] = {}
    for document in json_objects(query.get("filter_selected", [""])[0]):
        chosen |= document
    chosen |= {name: query[name][0] for name in _FILTERS if name in query}
    return {name: str(chosen[name]) for name in _FILTERS if name in chosen}
