"""Gives messages the form that each kind of receiver takes, and reads what it answers.

The forms are those of the makers' documents: Feishu's and DingTalk's custom robots (with signatures), WeCom's group
robots, and version 2 of Bark's API.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from dyber_alerts.messages import Entry, Message
from dyber_alerts.receivers import Kind, Receiver

#: What the receivers take at most is 20,000 bytes (Feishu, DingTalk), 4,096 (WeCom) and 4,096 of Apple's push service,
#: with what surrounds the text.
_LONG, _SHORT, _PUSH = 18_000, 3_600, 2_400
_MARKUP_BYTES = 80
#: Signs that mean something in Markdown, and those that replace them: labels of foreign servers may have them.
_PLAIN = str.maketrans({"[": "［", "]": "］", "<": "＜", ">": "＞", "*": "＊", "`": "'", "_": "\\_"})
_FEISHU_COLOURS = {"critical": "red", "warning": "orange"}
_WECOM_COLOURS = {"critical": "warning", "warning": "comment"}
_BARK_LEVELS = {"critical": "timeSensitive", "warning": "active"}


@dataclass(frozen=True)
class Request:
    """Holds a request that posts a message."""

    url: str
    content: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def request(receiver: Receiver, message: Message, now: float) -> Request:
    """Return the request that posts a message to a receiver; `now` is in seconds since 1970."""
    return _FORMS[receiver.kind](receiver, message, now)


def refusal(receiver: Receiver, status: int, answer: bytes) -> str | None:
    """Return why a receiver did not take a message, in its words; None if it did.

    Robots answer 200 also to messages that they refuse, with a code in the body.
    """
    text = answer.decode(errors="replace")
    if not 200 <= status < 300:
        return f"HTTP {status} {text}".strip()
    if receiver.kind == "json":
        return None
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return f"HTTP {status} {text}".strip()
    good = 200 if receiver.kind == "bark" else 0
    codes = [content[key] for key in ("code", "errcode", "StatusCode") if key in content]
    return None if codes and all(code == good for code in codes) else text.strip()


def _feishu(receiver: Receiver, message: Message, now: float) -> Request:
    signature = {}
    if receiver.secret:
        timestamp = str(int(now))
        signature = {"timestamp": timestamp, "sign": _signature(f"{timestamp}\n{receiver.secret}", "")}
    # Plain text: in Feishu's Markdown a label could mention everybody.
    elements: list[dict[str, Any]] = [
        {"tag": "div", "text": {"tag": "plain_text", "content": _text(entry)}}
        for entry in message.shown(_LONG, _MARKUP_BYTES)
    ]
    card = {
        "config": {"wide_screen_mode": True},
        "header": {
            "title": {"tag": "plain_text", "content": message.title},
            "template": _FEISHU_COLOURS.get(message.severity, "green"),
        },
        "elements": elements,
    }
    return Request(receiver.url, {**signature, "msg_type": "interactive", "card": card})


def _wecom(receiver: Receiver, message: Message, now: float) -> Request:
    colour, plain = _WECOM_COLOURS.get(message.severity, "info"), message.translated(_PLAIN)
    parts = [f'**<font color="{colour}">{plain.title}</font>**']
    for entry in plain.shown(_SHORT, _MARKUP_BYTES):
        first, *others = _text(entry).split("\n")
        parts.append("\n".join([first, *(f"> {line}" for line in others)]))
    return Request(receiver.url, {"msgtype": "markdown", "markdown": {"content": "\n\n".join(parts)}})


def _dingtalk(receiver: Receiver, message: Message, now: float) -> Request:
    url = receiver.url
    if receiver.secret:
        timestamp = str(int(now * 1000))
        signature = _signature(receiver.secret, f"{timestamp}\n{receiver.secret}")
        url += ("&" if "?" in url else "?") + urlencode({"timestamp": timestamp, "sign": signature})
    plain = message.translated(_PLAIN)
    parts = [f"#### {plain.title}"]
    # Two spaces end a line in DingTalk's Markdown.
    parts += [_text(entry).replace("\n", "  \n") for entry in plain.shown(_LONG, _MARKUP_BYTES)]
    return Request(url, {"msgtype": "markdown", "markdown": {"title": message.title, "text": "\n\n".join(parts)}})


def _bark(receiver: Receiver, message: Message, now: float) -> Request:
    content = {
        "title": message.title,
        "body": "\n".join(_text(entry) for entry in message.shown(_PUSH)),
        "group": f"DyberPet {receiver.stack}",
        "level": _BARK_LEVELS.get(message.severity, "passive"),
    }
    return Request(receiver.url, content)


def _json(receiver: Receiver, message: Message, now: float) -> Request:
    content = {
        "stack": receiver.stack,
        "status": message.status,
        "severity": message.severity or None,
        "title": message.title,
        "text": "\n".join(_text(entry) for entry in message.shown(_LONG)),
        "alerts": [
            {"status": entry.mark, "summary": entry.summary, "next_step": entry.next_step, "duration": entry.duration}
            for entry in message.entries
        ],
    }
    return Request(receiver.url, content, {"Authorization": f"Bearer {receiver.secret}"} if receiver.secret else {})


def _text(entry: Entry | str) -> str:
    return entry if isinstance(entry, str) else "\n".join(entry.lines())


def _signature(key: str, text: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


_FORMS: dict[Kind, Callable[[Receiver, Message, float], Request]] = {
    "feishu": _feishu,
    "wecom": _wecom,
    "dingtalk": _dingtalk,
    "bark": _bark,
    "json": _json,
}
