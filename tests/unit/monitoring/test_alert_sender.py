"""Tests the sender of alerts with a receiver that checks messages as the makers of the robots do."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from dyber_alerts import forms, posting
from dyber_alerts.forms import Request, refusal
from dyber_alerts.receivers import Kind, Receiver
from dyber_alerts.serving import Sender, server

from tests.support.robots import REFUSALS, SECRETS, Robots, urls

KINDS: list[Kind] = ["feishu", "wecom", "dingtalk", "bark", "json"]
ALERT = {
    "status": "firing",
    "labels": {"alertname": "ServiceDown", "service": "weibo", "severity": "critical"},
    "annotations": {
        "summary": "服务 weibo 没有可用的容器 / service weibo has no container that is ready",
        "next_step": "./deploy.sh logs weibo",
    },
    "startsAt": "2026-11-29T08:00:00.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
}
NOTIFICATION = {"version": "4", "status": "firing", "alerts": [ALERT]}


@pytest.fixture
def robots() -> Iterator[Robots]:
    running = Robots("127.0.0.1", 0)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def receiver(kind: Kind, robots: Robots) -> Receiver:
    url = urls(robots.base)[kind]
    return Receiver(kind, kind, url, SECRETS.get(kind, ""), private_addresses=True, language="zh", stack="dev")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_takes_the_message_with_its_signature(kind: Kind, robots: Robots) -> None:
    outcome = Sender({kind: receiver(kind, robots)}).send(kind, NOTIFICATION)
    assert outcome.taken, outcome.answer
    (taken,) = robots.taken
    text = json.dumps(taken["content"], ensure_ascii=False)
    for part in ("DyberPet dev · 1 个告警", "【严重】服务 weibo 没有可用的容器", "下一步：./deploy.sh logs weibo"):
        assert part in text


@pytest.mark.parametrize("kind", ["feishu", "dingtalk", "json"])
def test_a_wrong_secret_is_reported_with_the_receivers_words(kind: Kind, robots: Robots) -> None:
    wrong = replace(receiver(kind, robots), secret="another-secret")
    outcome = Sender({kind: wrong}).send(kind, NOTIFICATION)
    assert not outcome.taken
    expected = {"feishu": "sign match fail", "dingtalk": "sign not match", "json": "HTTP 401"}
    assert expected[kind] in outcome.answer


@pytest.mark.parametrize("kind", KINDS)
def test_a_refusal_counts_as_not_sent_also_with_the_status_200(kind: Kind) -> None:
    described = Receiver(kind, kind, "https://a.example/hook/key")
    status, body = REFUSALS[kind]
    assert refusal(described, status, json.dumps(body).encode())


@pytest.mark.parametrize("body", [b"", b"<html>sign in</html>", b"[]", b'{"ok": true}'])
def test_an_answer_that_is_none_of_a_robot_counts_as_not_sent(body: bytes) -> None:
    assert refusal(Receiver("a", "wecom", "https://a.example/?key=x"), 200, body) is not None


def test_the_outcome_and_the_log_have_neither_key_nor_secret(
    robots: Robots, capsys: pytest.CaptureFixture[str]
) -> None:
    described = receiver("feishu", robots)

    class Echoing(Robots):
        def answer(self, *arguments: Any) -> tuple[int, dict[str, Any]]:
            return 400, {"code": 1, "msg": f"{described.url} {described.secret}"}

    echoing = Echoing("127.0.0.1", 0)
    thread = threading.Thread(target=echoing.serve_forever)
    thread.start()
    try:
        moved = replace(described, url=described.url.replace(robots.base, echoing.base))
        outcome = Sender({"feishu": moved}).send("feishu", NOTIFICATION)
    finally:
        echoing.shutdown()
        thread.join()
        echoing.server_close()
    assert not outcome.taken and "HTTP 400" in outcome.answer
    for text in (outcome.answer, capsys.readouterr().out):
        assert "feishu-key-0001" not in text and "feishu-secret" not in text


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://a.example/send?key=abc%2Bdef%3D%3D", "abc+def=="),
        ("https://a.example/send?key=abc+def+ghi", "abc def ghi"),
        ("https://a.example/abc%2Fdef%20ghi", "abc/def ghi"),
    ],
)
def test_keys_are_masked_as_they_are_in_the_address_and_decoded(url: str, key: str) -> None:
    masked = Receiver("a", "json", url).masked(f"cannot use {url}: {key} is unknown")
    assert masked.endswith("****: **** is unknown")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.1.2.3",
        "169.254.169.254",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[fec0::1]",
    ],
)
def test_private_addresses_are_refused_unless_they_are_allowed(host: str) -> None:
    with pytest.raises(posting.NotSent, match="privateAddresses: true"):
        posting.post(Request(f"http://{host}:1/hook/key", {}), private_addresses=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "64:ff9b::808:808", "2002:808:808::"])
def test_addresses_of_the_internet_are_tried(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    def refuse(chosen: tuple[str, int], **_: object) -> socket.socket:
        raise ConnectionRefusedError(f"tried {chosen[0]}")

    monkeypatch.setattr(socket, "create_connection", refuse)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(posting.NotSent, match=f"tried {address}"):
        posting.post(Request(f"http://{host}:1/hook/key", {}), private_addresses=False)


def test_a_receiver_that_is_down_is_reported_without_its_address(robots: Robots) -> None:
    closed = Robots("127.0.0.1", 0)
    closed.server_close()
    outcome = Sender({"bark": receiver("bark", closed)}).send("bark", NOTIFICATION)
    assert not outcome.taken
    assert "127.0.0.1" in outcome.answer and "bark-key" not in outcome.answer


def test_redirects_are_not_followed(robots: Robots) -> None:
    class Moving(Robots):
        def answer(self, *arguments: Any) -> tuple[int, dict[str, Any]]:
            return 302, {}

    moving = Moving("127.0.0.1", 0)
    thread = threading.Thread(target=moving.serve_forever)
    thread.start()
    try:
        outcome = Sender({"json": receiver("json", moving)}).send("json", NOTIFICATION)
    finally:
        moving.shutdown()
        thread.join()
        moving.server_close()
    assert not outcome.taken and "HTTP 302" in outcome.answer


@pytest.fixture
def sending(robots: Robots) -> Iterator[str]:
    """The base URL of a sender with a receiver of each kind."""
    running = server(Sender({kind: receiver(kind, robots) for kind in KINDS}), "127.0.0.1", 0)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


def call(url: str, content: Any = None) -> tuple[int, dict[str, Any]]:
    body = None if content is None else json.dumps(content).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_alertmanager_is_told_to_try_again_until_the_receiver_takes_the_message(robots: Robots, sending: str) -> None:
    robots.refusing["dingtalk"] = 1
    status, answer = call(f"{sending}/receivers/dingtalk", NOTIFICATION)
    assert (status, answer["taken"]) == (502, False)
    assert "send too fast" in answer["answer"]
    assert call(f"{sending}/receivers/dingtalk", NOTIFICATION)[0] == 200
    assert len(robots.taken) == 1


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/receivers/nobody", NOTIFICATION, 404),
        ("/receivers/bark", {"alerts": [{}]}, 400),
        ("/receivers/bark", {}, 400),
        ("/receivers/bark", {"alerts": [{**ALERT, "labels": "x"}]}, 400),
        ("/other", None, 404),
    ],
)
def test_what_is_no_notification_is_refused(sending: str, path: str, content: Any, status: int) -> None:
    assert call(f"{sending}{path}", content)[0] == status


@pytest.mark.parametrize("url", ["https://a..b/bark-key-0001", f"https://{'a' * 64}.example/bark-key-0001"])
def test_an_address_that_cannot_be_used_counts_as_not_sent(url: str) -> None:
    outcome = Sender({"bark": Receiver("bark", "bark", url)}).send("bark", NOTIFICATION)
    assert not outcome.taken and "bark-key-0001" not in outcome.answer


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
def test_a_receiver_that_answers_byte_by_byte_is_left_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(posting, "_SECONDS_IN_ALL", 0.2)
    listening = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        opened, _ = listening.accept()
        with opened, contextlib.suppress(OSError):
            opened.sendall(beginning)
            for byte in b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200:
                opened.sendall(bytes([byte]))
                time.sleep(0.02)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        with pytest.raises(posting.NotSent, match="no whole answer within 0.2 seconds"):
            posting.post(Request(f"http://127.0.0.1:{listening.getsockname()[1]}/x", {}), private_addresses=True)
    finally:
        thread.join()
        listening.close()


def test_a_receiver_that_hangs_holds_few_threads_and_not_those_of_others(
    sending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, answer = threading.Semaphore(0), threading.Event()
    post = posting.post

    def hanging(request: Request, *, private_addresses: bool) -> tuple[int, bytes]:
        if "/bark/" in request.url:
            under_way.release()
            answer.wait()
        return post(request, private_addresses=private_addresses)

    monkeypatch.setattr(posting, "post", hanging)
    with ThreadPoolExecutor() as pool:
        try:
            waiting = [pool.submit(call, f"{sending}/receivers/bark", NOTIFICATION) for _ in range(4)]
            for _ in waiting:
                under_way.acquire()
            status, content = call(f"{sending}/receivers/bark", NOTIFICATION)
            assert (status, content["taken"]) == (503, False) and "under way" in content["answer"]
            assert call(f"{sending}/receivers/json", NOTIFICATION)[0] == 200
        finally:
            answer.set()
        assert [future.result()[0] for future in waiting] == [200] * 4
    assert call(f"{sending}/receivers/bark", NOTIFICATION)[0] == 200


@pytest.mark.parametrize("error", [ValueError, KeyError, TypeError, UnicodeError, RuntimeError])
def test_alertmanager_tries_again_after_an_error_of_the_sender(
    sending: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: type[Exception]
) -> None:
    def fail(*_: object) -> Request:
        raise error("defect at bark-key-0001")

    monkeypatch.setattr(forms, "request", fail)
    status, answer = call(f"{sending}/receivers/bark", NOTIFICATION)
    assert (status, answer["taken"]) == (500, False)
    logged = json.loads(capsys.readouterr().out)
    assert (logged["level"], logged["receiver"]) == ("ERROR", "bark")
    assert "defect at ****" in logged["message"] and "defect at ****" in answer["answer"]


def test_the_outcomes_of_a_test_are_shown_by_receiver(robots: Robots, sending: str) -> None:
    robots.refusing["wecom"] = 1
    labels = {"alertname": "DyberTest", "test": "abc", "to": "everybody", "severity": "warning"}
    notification = {"alerts": [{**ALERT, "labels": labels, "annotations": {}}]}
    for kind in ("bark", "wecom"):
        call(f"{sending}/receivers/{kind}", notification)
    shown = call(f"{sending}/tests/abc")[1]
    assert {name: outcome["taken"] for name, outcome in shown.items()} == {"bark": True, "wecom": False}
    assert "api freq out of limit" in shown["wecom"]["answer"]
    assert call(f"{sending}/tests/other")[1] == {}
    assert "这是一条测试消息" in json.dumps(robots.taken, ensure_ascii=False)
