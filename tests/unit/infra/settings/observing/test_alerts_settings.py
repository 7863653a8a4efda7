"""Tests the settings of notifications: what is refused, and that no message shows an address or a secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.schema.problems import ConfigurationError
from infra.settings.stack import parse_settings, read_settings

URL = "https://open.feishu.cn/open-apis/bot/v2/hook/very-secret-key"


def parsed(**receiver: Any) -> Any:
    values = {"kind": "feishu", "url": URL, **receiver}
    content = {"alerts": {"receivers": {"team": values}}}
    return parse_settings("dev", {"dyber:monitoring": json.dumps(content)}).monitoring.alerts


def refused(**receiver: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parsed(**receiver)
    return str(caught.value)


def test_a_receiver_with_kind_and_address_is_enough() -> None:
    alerts = parsed()
    receiver = alerts.receivers["team"]
    assert receiver.severities == ("critical", "warning") and receiver.resolved
    assert (alerts.repeat, alerts.language, receiver.private_addresses) == ("12h", "zh", False)


@pytest.mark.parametrize(
    ("receiver", "words"),
    [
        ({"kind": "email"}, "kind: feishu  # feishu / wecom / dingtalk / bark / json"),
        ({"url": "very-secret-key"}, "https://open.feishu.cn/open-apis/bot/v2/hook/<key>"),
        ({"url": "https://open.feishu.cn"}, "https://open.feishu.cn/open-apis/bot/v2/hook/<key>"),
        ({"kind": "wecom", "url": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"}, "send?key=<key>"),
        ({"kind": "dingtalk", "url": "https://oapi.dingtalk.com/robot/send?key=very-secret"}, "access_token=<token>"),
        ({"kind": "bark", "url": "https://api.day.app/"}, "https://api.day.app/<key>"),
        ({"url": URL.replace("https", "http")}, "privateAddresses: true"),
        ({"url": URL.replace("://", "://user:very-secret@")}, "whole address"),
        ({"url": f"{URL} "}, "visible ASCII"),
        ({"kind": "bark", "url": "https://api.day.app/key", "secret": "very-secret"}, "feishu, dingtalk, json"),
        ({"severities": []}, "at least 1"),
        ({"token": "x"}, "no such key"),
    ],
)
def test_what_cannot_work_is_refused_with_what_to_write_and_without_secrets(
    receiver: dict[str, Any], words: str
) -> None:
    message = refused(**receiver)
    assert words in message
    assert "monitoring.alerts.receivers.team" in message
    assert "very-secret" not in message


@pytest.mark.parametrize("host", ["open..feishu.cn", ".feishu.cn", "open.feishu.cn..", f"{'x' * 64}.feishu.cn"])
def test_a_host_name_that_cannot_be_looked_up_is_refused_at_its_key(host: str) -> None:
    message = refused(url=URL.replace("open.feishu.cn", host))
    assert "monitoring.alerts.receivers.team.url" in message and "such as open.feishu.cn" in message
    assert "very-secret" not in message


@pytest.mark.parametrize("host", ["open.feishu.cn.", f"{'x' * 63}.cn", "[2001:db8::1]", "open.feishu.cn:8443"])
def test_a_host_name_that_can_be_looked_up_is_taken(host: str) -> None:
    assert parsed(url=URL.replace("open.feishu.cn", host))


def test_plain_http_is_possible_in_a_private_network() -> None:
    assert parsed(kind="bark", url="http://10.0.0.5:8080/key", privateAddresses=True)


@pytest.mark.parametrize("name", ["Team", "a b", "", "x" * 40, "test/x"])
def test_a_name_that_cannot_be_used_is_refused(name: str) -> None:
    content = {"alerts": {"receivers": {name: {"kind": "feishu", "url": URL}}}}
    with pytest.raises(ConfigurationError, match="lower-case letters"):
        parse_settings("dev", {"dyber:monitoring": json.dumps(content)})


@pytest.mark.parametrize("repeat", ["4m", "8d", "12", "1w", "1h30m"])
def test_a_repetition_that_cannot_be_used_is_refused(repeat: str) -> None:
    content = {"alerts": {"repeat": repeat, "receivers": {"team": {"kind": "feishu", "url": URL}}}}
    with pytest.raises(ConfigurationError, match="5m to 7d"):
        parse_settings("dev", {"dyber:monitoring": json.dumps(content)})


@pytest.mark.parametrize("key", ["url", "secret"])
def test_an_address_or_a_secret_in_clear_text_is_refused_with_the_command(tmp_path: Path, key: str) -> None:
    other = {"url": "secret", "secret": "url"}[key]
    lines = [
        "config:",
        "  dyber:monitoring:",
        "    alerts:",
        "      receivers:",
        "        team:",
        "          kind: feishu",
        f"          {other}: {{secure: v1:abc}}",
        f"          {key}: {URL}",
    ]
    (tmp_path / "Pulumi.dev.yaml").write_text("\n".join(lines))
    content = {"alerts": {"receivers": {"team": {"kind": "feishu", "url": URL, "secret": "s"}}}}
    with pytest.raises(ConfigurationError) as caught:
        read_settings(tmp_path, "dev", {"dyber:monitoring": json.dumps(content)}, ["dyber:monitoring"])
    assert f"./deploy.sh config set monitoring.alerts.receivers.team.{key} --secret -s dev" in str(caught.value)
    assert "very-secret" not in str(caught.value)
