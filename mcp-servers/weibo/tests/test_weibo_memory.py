"""Tests of how answers are kept and shared."""

from __future__ import annotations

import asyncio

from dyber_kit.language import using_language
from dyber_kit.upstream.cache import Cache

from weibo_server.model.answers import PostList
from weibo_server.reading.memory import Memory
from weibo_server.texts import tr_lazy


def memory() -> Memory:
    """Return a memory of its own."""
    return Memory(Cache("weibo", "test"), "", 600.0, 20_000)


async def load() -> PostList:
    """Return an answer with a warning."""
    await asyncio.sleep(0)
    warnings = [tr_lazy("Weibo says: {words}", words="近半年")]
    return PostList(items=[], count=0, complete=True, warnings=warnings, fetched_at="2026-11-29T16:37:00+08:00")


async def read(kept: Memory, language: str) -> tuple[str, list[str]]:
    """Return source and warnings of an answer as a caller with a language sees them."""
    with using_language(language):
        shown = (await kept.answer(PostList, "key", 60.0, load)).model_dump(mode="json")
    return shown["source"], shown["warnings"]


async def test_a_kept_warning_is_shown_in_the_language_of_each_request():
    kept = memory()
    assert await read(kept, "en") == ("browser", ["Weibo says: 近半年"])
    assert await read(kept, "zh") == ("cache", ["微博提示：近半年"])
    assert await read(kept, "en") == ("cache", ["Weibo says: 近半年"])


async def test_a_shared_warning_is_shown_in_the_language_of_each_request():
    kept = memory()
    english, chinese = await asyncio.gather(read(kept, "en"), read(kept, "zh"))
    assert english == ("browser", ["Weibo says: 近半年"])
    assert chinese == ("browser", ["微博提示：近半年"])
