"""Sends a test message through Alertmanager to the receivers, and waits for what they answer."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from dyber_alerts.messages import TEST_ALERT

#: The value of the label `to` that stands for every receiver.
EVERYBODY = "everybody"
_WAIT_SECONDS = 45
_POLL_SECONDS = 0.2
_KNOWN_SECONDS = 15
_TIMEOUT_SECONDS = 5
_LASTS = timedelta(minutes=1)


def run(prometheus: str, alertmanager: str, sender: str, chosen: str | None) -> dict[str, Any]:
    """Send a test message and return what happened.

    Args:
        prometheus: Base URL of Prometheus.
        alertmanager: Base URL of Alertmanager.
        sender: Base URL of the sender.
        chosen: The only receiver to send to; None for all of them.

    Returns:
        `prometheus_knows_alertmanager`: whether Prometheus sends its alerts there; None if it did not answer.
        `alertmanager`: None, or why Alertmanager did not take the message.
        `receivers`: by name `taken` and `answer`, or None for a receiver without an outcome.
    """
    names: list[str] = _json(f"{sender}/receivers")["receivers"]
    awaited = [name for name in names if chosen in (None, name)]
    result: dict[str, Any] = {
        "prometheus_knows_alertmanager": _knows_alertmanager(prometheus),
        "alertmanager": None,
        "receivers": dict.fromkeys(awaited),
    }
    test = uuid.uuid4().hex
    now = datetime.now(UTC)
    alert = {
        "labels": {"alertname": TEST_ALERT, "test": test, "to": chosen or EVERYBODY, "severity": "warning"},
        "startsAt": now.isoformat(),
        "endsAt": (now + _LASTS).isoformat(),
    }
    try:
        _json(f"{alertmanager}/api/v2/alerts", [alert])
    except OSError as error:
        return {**result, "alertmanager": str(error)}
    outcomes = _await(lambda: _json(f"{sender}/tests/{test}"), awaited)
    return {**result, "receivers": {name: outcomes.get(name) for name in awaited}}


def _await(read: Callable[[], dict[str, Any]], names: Iterable[str]) -> dict[str, Any]:
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        outcomes = read()
        if set(names) <= set(outcomes) or time.monotonic() > deadline:
            return outcomes
        time.sleep(_POLL_SECONDS)


def _knows_alertmanager(prometheus: str) -> bool | None:
    """Tell whether Prometheus knows Alertmanager; after a reload that takes it some seconds."""
    deadline = time.monotonic() + _KNOWN_SECONDS
    while True:
        try:
            known: bool | None = bool(_json(f"{prometheus}/api/v1/alertmanagers")["data"]["activeAlertmanagers"])
        except (OSError, KeyError):
            known = None
        if known or time.monotonic() > deadline:
            return known
        time.sleep(_POLL_SECONDS)


def _json(url: str, content: Any = None) -> Any:
    """Return the JSON at a URL, posting `content` if there is any. Raises OSError if there is no good answer."""
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise OSError(f"HTTP {error.code} {error.read(500).decode(errors='replace')}") from None
    try:
        return json.loads(text) if text else None
    except ValueError as error:
        raise OSError(f"no JSON: {error}") from None
