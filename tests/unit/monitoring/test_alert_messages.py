"""Tests the words and the form of messages about alerts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from dyber_alerts.forms import request
from dyber_alerts.messages import in_language, message
from dyber_alerts.receivers import Kind, Language, Receiver

from tests.support.robots import urls

NOW = datetime(2026, 11, 29, 8, 5, tzinfo=UTC)


def alert(
    summary: str = "坏了 / broken", severity: str = "warning", status: str = "firing", **labels: str
) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": "Broken", "severity": severity, **labels},
        "annotations": {"summary": summary, "next_step": "./deploy.sh status"},
        "startsAt": "2026-11-29T08:00:00Z",
        "endsAt": "2026-11-29T08:02:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
    }


def lines(*alerts: dict[str, Any], language: Language = "zh") -> list[str]:
    """Return all lines of the message about the alerts."""
    made = message({"alerts": alerts}, "dev", language, NOW)
    return [made.title, *(line for entry in made.entries for line in entry.lines())]


def content(kind: Kind, *alerts: dict[str, Any]) -> dict[str, Any]:
    """Return what is posted to a receiver of a kind."""
    described = Receiver(kind, kind, urls("https://robots.example")[kind], stack="dev")
    return dict(request(described, message({"alerts": alerts}, "dev", "zh", NOW), NOW.timestamp()).content)


def test_an_alert_is_told_with_severity_next_step_and_duration_in_one_language() -> None:
    assert lines(alert()) == [
        "DyberPet dev · 1 个告警",
        "【警告】坏了",
        "下一步：./deploy.sh status",
        "已持续 5 分钟",
    ]
    assert lines(alert(), language="en") == [
        "DyberPet dev · alerts: 1",
        "【warning】broken",
        "next: ./deploy.sh status",
        "for 5 min",
    ]


def test_an_alert_that_is_over_is_told_with_how_long_it_lasted_and_without_a_next_step() -> None:
    over = lines(alert(status="resolved"))
    assert over == ["DyberPet dev · 1 个告警已恢复", "【已恢复】坏了", "持续了 2 分钟"]


def test_the_worst_comes_first_and_what_is_over_last() -> None:
    told = lines(alert("a / a", status="resolved"), alert("b / b"), alert("c / c", severity="critical"))
    assert told[0] == "DyberPet dev · 2 个告警"
    assert [line for line in told if line.startswith("【")] == ["【严重】c", "【警告】b", "【已恢复】a"]


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        ("一 / one", "一", "one"),
        ("工具 a / b 坏了 / tool a / b is broken", "工具 a / b 坏了", "tool a / b is broken"),
        ("./deploy.sh", "./deploy.sh", "./deploy.sh"),
    ],
)
def test_each_language_gets_its_half(text: str, zh: str, en: str) -> None:
    assert (in_language(text, "zh"), in_language(text, "en")) == (zh, en)


def test_control_signs_and_line_ends_of_labels_are_removed() -> None:
    assert "【警告】a b c" in lines(alert("a\nb\u202e\u0007c / d"))


@pytest.mark.parametrize("kind", ["wecom", "dingtalk"])
def test_labels_can_bring_no_markdown_into_a_message(kind: Kind) -> None:
    text = json.dumps(content(kind, alert("[a](https://evil.example) <@all> **b** `c` / d")), ensure_ascii=False)
    assert "](" not in text and "<@all>" not in text and "**b" not in text and "`" not in text


def test_feishu_gets_labels_as_plain_text_only() -> None:
    card = content("feishu", alert("<at id=all></at> / x"))["card"]
    assert {element["text"]["tag"] for element in card["elements"]} == {"plain_text"}


@pytest.mark.parametrize(("kind", "most"), [("wecom", 4096), ("dingtalk", 20000), ("feishu", 20000), ("bark", 4096)])
def test_many_alerts_are_cut_to_what_the_receiver_takes_and_the_rest_is_counted(kind: Kind, most: int) -> None:
    posted = content(kind, *[alert(f"服务坏了 {number} / broken") for number in range(1000)])
    text = json.dumps(posted, ensure_ascii=False)
    assert len(text.encode()) <= most
    shown = text.count("服务坏了")
    assert shown > 5
    assert f"还有 {1000 - shown} 个" in text


@pytest.mark.parametrize("sign", ["[", "_", '"', "\\"])
@pytest.mark.parametrize(("kind", "most"), [("wecom", 4096), ("dingtalk", 20000), ("feishu", 20000), ("bark", 4096)])
def test_signs_that_need_more_room_than_in_the_label_count_with_it(kind: Kind, most: int, sign: str) -> None:
    text = json.dumps(content(kind, *[alert(f"坏了{sign * 100} / x") for _ in range(1000)]), ensure_ascii=False)
    assert len(text.encode()) <= most
    assert text.count("坏了") > 5


@pytest.mark.parametrize(
    ("alerts", "feishu", "bark"),
    [
        ([alert(severity="critical")], "red", "timeSensitive"),
        ([alert()], "orange", "active"),
        ([alert(status="resolved")], "green", "passive"),
    ],
)
def test_colour_and_urgency_follow_the_worst_alert(alerts: list[dict[str, Any]], feishu: str, bark: str) -> None:
    assert content("feishu", *alerts)["card"]["header"]["template"] == feishu
    assert content("bark", *alerts)["level"] == bark


def test_a_webhook_gets_each_alert_as_data() -> None:
    posted = content("json", alert(), alert("over / over", status="resolved"))
    assert (posted["stack"], posted["status"], posted["severity"]) == ("dev", "firing", "warning")
    assert [entry["summary"] for entry in posted["alerts"]] == ["坏了", "over"]
