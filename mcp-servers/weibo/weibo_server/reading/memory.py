"""Caches answers; concurrent equal calls share their work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

from dyber_kit.times import iso_local
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.sharing import SharedWork

from weibo_server.model.schema import Answer

Model = TypeVar("Model", bound=Answer)

# Characters of an answer besides its longest list.
_FRAME_CHARS = 1500


class Memory:
    """Caches answers.

    Args:
        cache: Where they are kept.
        prefix: Part of all keys.
        longest_seconds: Longest time for which an answer is kept.
        max_answer_chars: Longest answer, in characters of JSON.
    """

    def __init__(self, cache: Cache, prefix: str, longest_seconds: float, max_answer_chars: int) -> None:
        self.max_list_chars = max_answer_chars - _FRAME_CHARS
        self._cache = cache
        self._prefix = prefix
        self._longest_seconds = longest_seconds
        self._sharing = SharedWork()

    async def answer(
        self,
        model: type[Model],
        key: str,
        seconds: float,
        load: Callable[[], Awaitable[Model]],
        keep: Callable[[Model], bool] = lambda _: True,
    ) -> Model:
        """Return what `load` returns, or what it returned less than `seconds` ago with the source `cache`.

        Args:
            model: The type of the answer.
            key: Names the answer among those of its type.
            seconds: How long the answer is kept.
            load: Reads the answer.
            keep: Whether an answer is kept.
        """
        kept_as = f"{self._prefix}:{model.__name__}:{key}"
        kept = await self._cache.get(kept_as)
        if kept is not None:
            return model.model_validate(kept | {"source": "cache"})

        async def load_and_keep() -> Model:
            answer = await load()
            if keep(answer):
                await self._cache.set(kept_as, answer.to_keep(), min(seconds, self._longest_seconds))
            return answer

        return await self._sharing.run(kept_as, load_and_keep)


def stamp() -> str:
    """Return the present for `fetched_at`."""
    return iso_local(datetime.now(UTC)) or ""
