"""Takes notifications from Alertmanager and passes them on.

`POST /receivers/<name>` answers 200 once the receiver took the message, 400 to what is no notification, 503 while
too many messages to it are under way, otherwise 502 or, after a defect of the sender, 500; Alertmanager tries again
after 5xx. `GET /tests/<id>` shows what the receivers answered to the messages of a test.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dyber_alerts import forms, posting
from dyber_alerts.messages import message, test_of
from dyber_alerts.receivers import Receiver

_LONGEST_NOTIFICATION = 4 * 2**20
_LONGEST_WORDS = 300
_MOST_TESTS = 20
_MOST_AT_ONCE = 4
_SECONDS = 30
_LOG_LOCK = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """Tells what became of a message: whether the receiver took it, and its answer or why there was none."""

    taken: bool
    answer: str


class NotANotification(Exception):
    """What came is no notification of Alertmanager; the text says why."""


class Busy(Exception):
    """As many messages as may be under way to a receiver are."""


class Sender:
    """Passes notifications on to the receivers, and remembers the outcomes of tests.

    Args:
        receivers: The receivers by name.
        clock: Returns the time in seconds since 1970.
    """

    def __init__(self, receivers: Mapping[str, Receiver], clock: Callable[[], float] = time.time) -> None:
        self.receivers = receivers
        self._clock = clock
        self._lock = threading.Lock()
        self._places = {name: threading.BoundedSemaphore(_MOST_AT_ONCE) for name in receivers}
        self._tests: OrderedDict[str, dict[str, Outcome]] = OrderedDict()

    def send(self, name: str, notification: Mapping[str, Any]) -> Outcome:
        """Pass a notification on to a receiver and log the outcome.

        Raises:
            KeyError: There is no receiver of this name.
            NotANotification: The JSON lacks something, or has something else in its place.
            Busy: Too many messages to the receiver are under way.
        """
        receiver = self.receivers[name]
        now = self._clock()
        try:
            words = message(notification, receiver.stack, receiver.language, datetime.fromtimestamp(now, UTC))
            test = test_of(notification)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotANotification(repr(error)) from None
        request = forms.request(receiver, words, now)
        places = self._places[name]
        if not places.acquire(blocking=False):
            raise Busy(f"{_MOST_AT_ONCE} messages are under way")
        try:
            status, answer = posting.post(request, private_addresses=receiver.private_addresses)
        except posting.NotSent as error:
            outcome = Outcome(False, _short(receiver.masked(str(error))))
        else:
            refused = forms.refusal(receiver, status, answer)
            text = refused or f"HTTP {status} {answer.decode(errors='replace')}".strip()
            outcome = Outcome(refused is None, _short(receiver.masked(text)))
        finally:
            places.release()
        self._remember(test, name, outcome)
        _log(receiver, words.title, outcome)
        return outcome

    def respond(self, name: str, notification: Any) -> tuple[int, dict[str, Any]]:
        """Pass a notification on to a receiver, and return the status and the JSON that answer Alertmanager."""
        try:
            outcome = self.send(name, notification)
        except NotANotification as error:
            return 400, {"error": f"not a notification of Alertmanager: {error}"}
        except Exception as error:  # Without an answer of 5xx the alerts would be lost.
            receiver = self.receivers[name]
            outcome = Outcome(False, _short(receiver.masked(repr(error))))
            _log(receiver, "", outcome)
            return 503 if isinstance(error, Busy) else 500, asdict(outcome)
        return 200 if outcome.taken else 502, asdict(outcome)

    def outcomes(self, test: str) -> dict[str, Outcome]:
        """Return the latest outcome of a test by receiver; receivers that have none yet are not in it."""
        with self._lock:
            return dict(self._tests.get(test, {}))

    def _remember(self, test: str, name: str, outcome: Outcome) -> None:
        if not test:
            return
        with self._lock:
            self._tests.setdefault(test, {})[name] = outcome
            while len(self._tests) > _MOST_TESTS:
                self._tests.popitem(last=False)


def server(sender: Sender, host: str, port: int) -> ThreadingHTTPServer:
    """Return an HTTP server of the sender that listens; `serve_forever` runs it."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS

        def do_GET(self) -> None:
            if self.path == "/health":
                self._answer(200, {})
            elif self.path == "/receivers":
                self._answer(200, {"receivers": sorted(sender.receivers)})
            elif self.path.startswith("/tests/"):
                outcomes = sender.outcomes(self.path.removeprefix("/tests/"))
                self._answer(200, {name: asdict(outcome) for name, outcome in outcomes.items()})
            else:
                self._answer(404, {})

        def do_POST(self) -> None:
            name = self.path.removeprefix("/receivers/")
            if name not in sender.receivers:
                return self._answer(404, {"error": f"no receiver {name!r}"})
            try:
                size = int(self.headers.get("Content-Length", ""))
                if not 0 < size <= _LONGEST_NOTIFICATION:
                    return self._answer(413, {"error": "too long"})
                notification = json.loads(self.rfile.read(size))
            except (ValueError, RecursionError) as error:
                return self._answer(400, {"error": f"no JSON: {error!r}"})
            return self._answer(*sender.respond(name, notification))

        def _answer(self, status: int, content: Mapping[str, Any]) -> None:
            body = json.dumps(content, ensure_ascii=False).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: the outcome of each message is logged already."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            # A health check reads only the first line of the answer.
            if not isinstance(sys.exc_info()[1], ConnectionError):
                super().handle_error(request, client_address)

    return Server((host, port), Handler)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_WORDS else f"{line[:_LONGEST_WORDS]}…"


def _log(receiver: Receiver, title: str, outcome: Outcome) -> None:
    if outcome.taken:
        words = f"告警已送到 {receiver.name} / alerts were sent to {receiver.name}"
    else:
        words = (
            f"告警没有送到 {receiver.name}，会再试：{outcome.answer} / "
            f"alerts did not reach {receiver.name}, they are tried again: {outcome.answer}"
        )
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "level": "INFO" if outcome.taken else "ERROR",
        "message": words,
        "receiver": receiver.name,
        "title": title,
    }
    with _LOG_LOCK:
        sys.stdout.write(json.dumps(entry, ensure_ascii=False) + "\n")
        sys.stdout.flush()
