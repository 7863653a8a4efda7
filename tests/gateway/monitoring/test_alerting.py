"""Tests alerts from a rule of Prometheus to the receivers, through a real Alertmanager and the sender."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.gateway.support.alerting import Alerting
from tests.gateway.support.docker_cli import docker, wait_until
from tests.gateway.support.monitoring_image import build
from tests.support.robots import SECRETS, urls

KINDS = ["feishu", "wecom", "dingtalk", "bark", "json"]


@pytest.fixture(scope="module")
def alerting() -> Iterator[Alerting]:
    build()
    running = Alerting()
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_every_kind_is_told_that_an_alert_fires_and_that_it_is_over(alerting: Alerting) -> None:
    alerting.alert("one")
    for kind in KINDS:
        wait_until(lambda kind=kind: alerting.taken(kind, "【严重】服务 one 坏了", "下一步：./deploy.sh"), kind, 60)
    alerting.alert("one", fires=False)
    for kind in KINDS:
        wait_until(lambda kind=kind: alerting.taken(kind, "【已恢复】服务 one 坏了"), kind, 60)
        assert len(alerting.taken(kind, "服务 one 坏了")) == 2


def test_a_message_that_is_refused_with_the_status_200_is_sent_again_until_it_is_taken(alerting: Alerting) -> None:
    before = {kind: alerting.refused(kind) for kind in ("feishu", "dingtalk", "wecom")}
    for kind in before:
        alerting.refuse(kind, 2)
    alerting.alert("two")
    for kind, refused in before.items():
        wait_until(lambda kind=kind: alerting.taken(kind, "服务 two 坏了"), kind, 90)
        assert alerting.refused(kind) == refused + 2
        assert len(alerting.taken(kind, "服务 two 坏了")) == 1


def test_a_receiver_that_is_down_gets_the_message_later_and_the_log_says_so(alerting: Alerting) -> None:
    alerting.remove("robots")
    alerting.alert("three")

    def failed() -> bool:
        lines = docker("logs", alerting.names["sender"]).splitlines()
        errors = [json.loads(line) for line in lines if line.startswith("{") and '"ERROR"' in line]
        return {"bark", "feishu"} <= {entry["receiver"] for entry in errors if "refused" in entry["message"]}

    wait_until(failed, "the log has the failures", 60)
    alerting.start_robots()
    for kind in KINDS:
        wait_until(lambda kind=kind: alerting.taken(kind, "服务 three 坏了"), kind, 120)


def test_a_test_says_what_each_receiver_answered(alerting: Alerting) -> None:
    alerting.alert("none", fires=False)
    result = alerting.test()
    assert result["prometheus_knows_alertmanager"] is True and result["alertmanager"] is None
    assert set(result["receivers"]) == set(KINDS)
    for kind, outcome in result["receivers"].items():
        assert outcome["taken"], kind
        assert len(alerting.taken(kind, "这是一条测试消息")) == 1, kind
    assert "errcode" in result["receivers"]["wecom"]["answer"]


def test_a_test_of_a_receiver_that_refuses_shows_its_words(alerting: Alerting) -> None:
    sent = len(alerting.taken("bark", "这是一条测试消息"))
    # More than one, as an alert of a test before may end now, and its message is refused too.
    alerting.refuse("wecom", 5)
    outcomes = alerting.test("wecom")["receivers"]
    alerting.refuse("wecom", 0)
    assert list(outcomes) == ["wecom"]
    assert not outcomes["wecom"]["taken"] and "api freq out of limit" in outcomes["wecom"]["answer"]
    assert len(alerting.taken("bark", "这是一条测试消息")) == sent


def test_what_is_silenced_is_not_sent_and_a_new_alertmanager_remembers_it(alerting: Alerting) -> None:
    alerting.amtool("silence", "add", "--author=test", "--comment=test", "--duration=1h", "service=silent")
    alerting.remove("alertmanager")
    alerting.start_alertmanager()
    alerting.alert("silent")
    wait_until(
        lambda: "silent" in alerting.amtool("alert", "query", "--silenced", "--output=json"),
        "the alert is silenced",
        60,
    )
    # A later alert shows that the one before had its time.
    alerting.alert("loud")
    wait_until(lambda: alerting.taken("bark", "服务 loud 坏了"), "the other alert is sent", 60)
    assert not alerting.taken("bark", "服务 silent 坏了")


def test_alertmanager_starts_with_damaged_files_and_says_what_it_set_aside(alerting: Alerting) -> None:
    alerting.remove("alertmanager")
    docker(
        "run", "--rm", "--label", "dyber.test=gateway", f"--volume={alerting.state}:/state", "--user=0",
        "--entrypoint=bash", "dyber-monitoring-test:latest", "-euc",
        "for name in nflog silences; do head -c 300 /dev/urandom >/state/$name; done",
    )  # fmt: skip
    alerting.start_alertmanager()
    alerting.alert("after-damage")
    wait_until(lambda: alerting.taken("bark", "服务 after-damage 坏了"), "alerts are sent", 60)
    assert "moved to damaged" in docker("logs", alerting.names["alertmanager"])


def test_addresses_and_secrets_are_in_no_log_environment_or_command(alerting: Alerting) -> None:
    keys = [*SECRETS.values(), *(url.rpartition("/")[2].rpartition("=")[2] for url in urls("").values())]
    for role in ("sender", "alertmanager", "prometheus"):
        name = alerting.names[role]
        shown = docker("inspect", name) + docker("logs", name)
        assert not [key for key in keys if len(key) > 6 and key in shown], role
