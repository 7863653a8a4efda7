"""How deployments, promotions and ended containers are told on the overview."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dyber_console.intake.files import Event
from dyber_console.language import using_language
from dyber_console.pages import overview
from dyber_console.records.store import Store
from dyber_console.verdicts.rules import Grade


def entry(name: str, short: str) -> Any:
    return SimpleNamespace(name=name, short=short, facts=SimpleNamespace(failure=None), grade=Grade.OK)


def told(tmp_path: Any, language: str, *events: Event) -> list[tuple[str, str, str]]:
    """Return icon, subject and text of the events as the overview tells them."""
    store = Store(tmp_path / "console.sqlite")
    console: Any = SimpleNamespace(store=store, files=SimpleNamespace(history=list(events)))
    view: Any = SimpleNamespace(entries=[entry("zhihu", "知乎")])
    with using_language(language):
        happenings = overview._happenings(console, view)
    store.close()
    return [(happening.icon, happening.subject, happening.text) for happening in happenings]


@pytest.mark.parametrize(
    ("event", "chinese", "english"),
    [
        (
            Event("ended", 5, {"service": "zhihu", "reason": "out_of_memory", "memory_mib": 256}),
            ("warn", "知乎", "达到内存上限被结束，已重新启动"),
            ("warn", "知乎", "ended at its limit of memory, and was started again"),
        ),
        (
            Event("ended", 5, {"service": "hub", "reason": "exit", "exit_code": 3}),
            ("warn", "枢纽", "结束了（退出码 3），已重新启动"),
            ("warn", "The hub", "ended with exit code 3, and was started again"),
        ),
        (
            Event("ended", 5, {"service": "gone", "reason": "exit", "exit_code": None}),
            ("warn", "gone", "结束了，已重新启动"),
            ("warn", "gone", "ended, and was started again"),
        ),
        (
            Event("promotion", 5, {"from": "dev", "to": "test", "parts": ["zhihu", "hub"]}),
            ("ok", "晋级", "zhihu, hub：dev → test"),
            ("ok", "Promotion", "zhihu, hub from dev to test"),
        ),
        (
            Event("deployment", 5, {"outcome": "ok", "seconds": 14}),
            ("ok", "部署", "用时 14 秒"),
            ("ok", "Deployment", "done in 14 seconds"),
        ),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_an_event_is_told_in_both_languages(tmp_path, event: Event, chinese: Any, english: Any) -> None:
    assert told(tmp_path, "zh", event) == [chinese]
    assert told(tmp_path, "en", event) == [english]


def test_the_newest_events_come_first_and_other_kinds_are_left_out(tmp_path) -> None:
    ended = [Event("ended", at, {"service": "zhihu", "reason": "exit", "exit_code": at}) for at in (30, 20, 10)]
    backup = Event("backup", 25, {"bytes": 1})
    texts = [text for _, _, text in told(tmp_path, "en", ended[0], backup, *ended[1:])]
    assert [text.split()[4].rstrip(",") for text in texts] == ["30", "20", "10"]
