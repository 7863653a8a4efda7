"""Puts the alerts of a notification of Alertmanager into words, in Chinese or in English."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from dyber_alerts.receivers import Language

#: The alert that `./deploy.sh alerts test` sends.
TEST_ALERT = "DyberTest"
Status = Literal["firing", "resolved"]
_WORDS: dict[Language, dict[str, str]] = {
    "zh": {
        "firing": "{count} 个告警",
        "resolved": "{count} 个告警已恢复",
        "critical": "严重",
        "warning": "警告",
        "well again": "已恢复",
        "next step": "下一步：{step}",
        "since": "已持续 {duration}",
        "lasted": "持续了 {duration}",
        "seconds": "{count} 秒",
        "minutes": "{count} 分钟",
        "hours": "{count} 小时",
        "days": "{count} 天",
        "more": "还有 {count} 个，运行 ./deploy.sh alerts list 查看",
        "test": "测试消息",
        "test text": "这是一条测试消息，收到就说明告警能送到这里",
    },
    "en": {
        "firing": "alerts: {count}",
        "resolved": "alerts resolved: {count}",
        "critical": "critical",
        "warning": "warning",
        "well again": "resolved",
        "next step": "next: {step}",
        "since": "for {duration}",
        "lasted": "lasted {duration}",
        "seconds": "{count} s",
        "minutes": "{count} min",
        "hours": "{count} h",
        "days": "{count} d",
        "more": "and {count} more; run ./deploy.sh alerts list to see them",
        "test": "test message",
        "test text": "This is a test message; since it arrived here, alerts will too",
    },
}
_UNITS = (("days", 86400), ("hours", 3600), ("minutes", 60))


@dataclass(frozen=True)
class Entry:
    """Describes an alert in words.

    Attributes:
        mark: Its severity, or that it is resolved.
        summary: A sentence about it.
        next_step: What to do, or "".
        duration: For how long it is or was there, or "".
    """

    mark: str
    summary: str
    next_step: str = ""
    duration: str = ""

    def lines(self) -> Iterator[str]:
        """Yield its text, line by line."""
        yield f"【{self.mark}】{self.summary}"
        yield from (line for line in (self.next_step, self.duration) if line)


@dataclass(frozen=True)
class Message:
    """Holds a notification in words.

    Attributes:
        status: `firing` while any of the alerts is.
        severity: The worst of the alerts that fire, or "" if none does.
        title: A line about all of them.
        entries: The alerts, those that fire first.
        language: Language of the words.
    """

    status: Status
    severity: str
    title: str
    entries: tuple[Entry, ...]
    language: Language

    def translated(self, signs: Mapping[int, str]) -> Message:
        """Return the message with other text in place of some signs, as `str.translate` puts it."""
        entries = tuple(
            Entry(*(text.translate(signs) for text in (entry.mark, entry.summary, entry.next_step, entry.duration)))
            for entry in self.entries
        )
        return replace(self, title=self.title.translate(signs), entries=entries)

    def shown(self, most_bytes: int, markup_bytes: int = 0) -> list[Entry | str]:
        """Return as many entries as fit into `most_bytes` of JSON, and a line that says how many were left out.

        Args:
            most_bytes: Room for the entries.
            markup_bytes: What the form in which they are sent adds to each entry.
        """
        shown: list[Entry | str] = []
        left = most_bytes - len(_words(self.language, "more", count=len(self.entries)).encode())
        for entry in self.entries:
            left -= len(json.dumps("\n".join(entry.lines()), ensure_ascii=False).encode()) + markup_bytes
            if left < 0:
                shown.append(_words(self.language, "more", count=len(self.entries) - len(shown)))
                break
            shown.append(entry)
        return shown


def message(notification: Mapping[str, Any], stack: str, language: Language, now: datetime) -> Message:
    """Return a webhook notification of Alertmanager (version 4) in words.

    Args:
        notification: The JSON that Alertmanager posts.
        stack: Name of the stack.
        language: Language of the words.
        now: The present time, with its time zone.
    """
    alerts = sorted(notification["alerts"], key=lambda alert: (alert["status"] != "firing", _rank(alert)))
    firing = [alert for alert in alerts if alert["status"] == "firing"]
    status: Status = "firing" if firing else "resolved"
    if test_of(notification):
        about = _words(language, "test")
    else:
        about = _words(language, status, count=len(firing) if firing else len(alerts))
    severity = min((alert["labels"].get("severity", "warning") for alert in firing), key=_worst_first, default="")
    entries = tuple(_entry(alert, language, now) for alert in alerts)
    return Message(status, severity, f"DyberPet {stack} · {about}", entries, language)


def test_of(notification: Mapping[str, Any]) -> str:
    """Return the id of the test that a notification is of, or ""."""
    labels: Mapping[str, str] = notification["alerts"][0]["labels"] if notification["alerts"] else {}
    return labels.get("test", "") if labels.get("alertname") == TEST_ALERT else ""


def in_language(text: str, language: Language) -> str:
    """Return the half of `Chinese / English` in a language; another text unchanged."""
    parts = text.split(" / ")
    half = len(parts) // 2
    if len(parts) < 2 or len(parts) % 2:
        return text
    return " / ".join(parts[:half] if language == "zh" else parts[half:])


def _entry(alert: Mapping[str, Any], language: Language, now: datetime) -> Entry:
    labels, annotations = alert["labels"], alert.get("annotations", {})
    if labels.get("alertname") == TEST_ALERT:
        return Entry(_words(language, "test"), _words(language, "test text"))
    fires = alert["status"] == "firing"
    summary = _one_line(in_language(annotations.get("summary") or labels.get("alertname", "?"), language))
    began = datetime.fromisoformat(alert["startsAt"])
    ended = now if fires else datetime.fromisoformat(alert["endsAt"])
    duration = _duration(max(0, int((ended - began).total_seconds())), language)
    if not fires:
        return Entry(_words(language, "well again"), summary, "", _words(language, "lasted", duration=duration))
    step = _one_line(in_language(annotations.get("next_step", ""), language))
    severity = labels.get("severity", "warning")
    return Entry(
        _WORDS[language].get(severity, severity),
        summary,
        _words(language, "next step", step=step) if step else "",
        _words(language, "since", duration=duration),
    )


def _duration(seconds: int, language: Language) -> str:
    for unit, size in _UNITS:
        if seconds >= size:
            return _words(language, unit, count=seconds // size)
    return _words(language, "seconds", count=seconds)


def _worst_first(severity: str) -> int:
    return 0 if severity == "critical" else 1


def _rank(alert: Mapping[str, Any]) -> int:
    return _worst_first(alert["labels"].get("severity", "warning"))


def _one_line(text: str) -> str:
    """Return the text without control and formatting characters, which labels of foreign servers may have."""
    return " ".join("".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in text).split())


def _words(language: Language, key: str, **values: object) -> str:
    return _WORDS[language][key].format(**values)
