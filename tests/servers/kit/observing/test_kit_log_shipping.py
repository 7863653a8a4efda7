"""Sends the lines of the log to a receiver."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from dyber_kit import settings
from dyber_kit.observing import log_shipping
from dyber_kit.observing.log_shipping import LogShipper, endpoint, shipping_logs
from dyber_kit.observing.logs import configure_logging
from dyber_kit.settings import environment_secret

from tests.stand_in.running import free_port


class Receiver:
    """Takes requests, and answers with a status that tests change."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, object]] = []
        self.paths: list[str] = []
        self.status = 200
        self.came = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.paths.append(self.path)
                receiver.bodies.append(json.loads(content))
                self.send_response(receiver.status)
                self.end_headers()
                receiver.came.set()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @property
    def lines(self) -> list[str]:
        """Return the bodies of all records that came."""
        return [
            record["body"]["stringValue"]
            for body in self.bodies
            for resource in body["resourceLogs"]  # type: ignore[attr-defined]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "_secrets", set())
    monkeypatch.delenv("DYBER_LOGS_ENDPOINT", raising=False)


@pytest.fixture
def demo_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("demo", "info")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_lines_arrive_with_their_service_level_and_request(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, demo_logging: None
) -> None:
    monkeypatch.setenv("DYBER_LOGS_ENDPOINT", receiver.url)
    async with shipping_logs("demo"):
        logging.getLogger("demo").info("call", extra={"tool": "search", "request_id": "r-1"})
        logging.getLogger("demo").warning("careful")
    assert receiver.paths[0] == "/v1/logs"
    first = json.loads(receiver.lines[0])
    assert (first["message"], first["tool"], first["request_id"]) == ("call", "search", "r-1")
    assert json.loads(receiver.lines[1])["message"] == "careful"
    resource = receiver.bodies[0]["resourceLogs"][0]  # type: ignore[index]
    assert resource["resource"]["attributes"][0]["value"]["stringValue"] == "demo-mcp"
    severities = [record["severityNumber"] for record in resource["scopeLogs"][0]["logRecords"]]
    assert severities == [9, 13]


async def test_without_an_address_nothing_is_kept(demo_logging: None) -> None:
    async with shipping_logs("demo"):
        logging.getLogger("demo").info("call")
        assert not log_shipping.shipper.is_running


async def test_a_secret_that_the_service_read_is_masked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, demo_logging: None
) -> None:
    monkeypatch.setenv("DYBER_LOGS_ENDPOINT", receiver.url)
    monkeypatch.setenv("DEMO_TOKEN", "s3cret-value")
    assert environment_secret("DEMO_TOKEN") == "s3cret-value"
    async with shipping_logs("demo"):
        logging.getLogger("demo").info("the platform said s3cret-value")
    assert "***" in receiver.lines[0] and "s3cret" not in receiver.lines[0]


def kept(line: str) -> str:
    """Return what is kept of a line until it is sent."""
    shipper = LogShipper()
    shipper.restart()
    shipper.take(0.0, logging.INFO, "INFO", line)
    return shipper._lines[0][3]


@pytest.mark.parametrize("ensure_ascii", [True, False])
@pytest.mark.parametrize("secret", ['with"quotes"', "with\\backslash", "two\nlines", "密码密码密码"])
def test_a_secret_is_masked_as_json_writes_it(secret: str, ensure_ascii: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_TOKEN", secret)
    assert environment_secret("DEMO_TOKEN") == secret
    line = json.dumps({"message": f"said {secret}."}, ensure_ascii=ensure_ascii)
    assert kept(line) == '{"message": "said ***."}'


def test_a_secret_across_the_end_of_a_long_line_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_TOKEN", "s3cret-value")
    assert environment_secret("DEMO_TOKEN") == "s3cret-value"
    line = kept("x" * 3995 + "s3cret-value" + "y" * 100)
    assert line == "x" * 3995 + "***yy"


def test_short_values_are_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_TOKEN", "42")
    assert environment_secret("DEMO_TOKEN") == "42"
    assert kept("seconds: 42") == "seconds: 42"


async def test_a_receiver_that_is_away_delays_neither_lines_nor_the_end(
    monkeypatch: pytest.MonkeyPatch, demo_logging: None
) -> None:
    monkeypatch.setenv("DYBER_LOGS_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    lost, written = log_shipping.shipper.lost, io.StringIO()
    handler = next(each for each in logging.getLogger().handlers if type(each).__module__.startswith("dyber_kit"))
    monkeypatch.setattr(handler, "stream", written)
    async with shipping_logs("demo"):
        logging.getLogger("demo").info("written all the same")
    assert "written all the same" in written.getvalue()
    assert log_shipping.shipper.lost == lost + 1


@pytest.mark.parametrize(("status", "pause"), [(200, 1.0), (503, 15.0), (429, 15.0), (404, 600.0)])
def test_a_receiver_that_takes_nothing_is_left_alone_for_a_while(receiver: Receiver, status: int, pause: float) -> None:
    receiver.status = status
    shipper = LogShipper()
    shipper.restart()
    shipper.take(1.0, logging.INFO, "INFO", "line")
    address = log_shipping.urlsplit(f"{receiver.url}/v1/logs")
    assert shipper._send("demo", address) == pause
    assert shipper.lost == (status != 200)


def test_of_too_many_lines_the_oldest_are_lost() -> None:
    shipper = LogShipper()
    shipper.restart()
    for number in range(1005):
        shipper.take(1.0, logging.INFO, "INFO", str(number))
    assert shipper.lost == 5
    assert shipper._lines[0][3] == "5"


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"DYBER_LOGS_ENDPOINT": "http://gateway:10318/"}, "http://gateway:10318/v1/logs"),
        ({"DYBER_LOGS_ENDPOINT": "http://gateway:10318", "OTEL_SDK_DISABLED": "true"}, None),
        ({"DYBER_LOGS_ENDPOINT": "nonsense"}, None),
        # A collector of the operator, which need not get the logs.
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, None),
        ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://collector:4318/v1/logs"}, None),
        ({}, None),
    ],
)
def test_the_address_is_that_of_the_variables(
    variables: dict[str, str], address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = endpoint()
    assert (found.geturl() if found else None) == address
