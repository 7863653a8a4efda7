"""Defines the settings of notifications: where the alerts of Prometheus go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal, get_args
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from infra.schema.forms import Form
from infra.schema.host_names import has_usable_port
from infra.schema.problems import Problem, UnusableValue
from infra.schema.strict_settings import StrictSettings
from infra.settings.names import stack_file
from messages import mark

Kind = Literal["feishu", "wecom", "dingtalk", "bark", "json"]
Severity = Literal["critical", "warning"]
#: The kinds whose messages the secret signs, and the one that sends it as a bearer token.
WITH_SECRET: tuple[Kind, ...] = ("feishu", "dingtalk", "json")
#: What an address of each kind looks like.
EXAMPLES: dict[Kind, str] = {
    "feishu": "https://open.feishu.cn/open-apis/bot/v2/hook/<key>",
    "wecom": "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=<key>",
    "dingtalk": "https://oapi.dingtalk.com/robot/send?access_token=<token>",
    "bark": "https://api.day.app/<key>",
    "json": "https://example.com/alerts",
}
#: The parameter of an address that has its key.
_KEYS: dict[Kind, str] = {"wecom": "key", "dingtalk": "access_token"}
_VISIBLE = re.compile(r"[\x21-\x7e]{1,1000}")
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
#: Of the parts of a host name between its dots.
_LONGEST_LABEL = 63
_SHORTEST_REPEAT, _LONGEST_REPEAT = 5, 7 * 24 * 60


def _visible(value: SecretStr) -> SecretStr:
    if not _VISIBLE.fullmatch(value.get_secret_value()):
        raise UnusableValue("alert_visible")
    return value


def _with_host(value: SecretStr) -> SecretStr:
    """Refuse an address whose host name cannot be looked up; the model checks what else it must have."""
    address = value.get_secret_value()
    host = urlsplit(address).hostname if has_usable_port(address) else None
    if host and not all(0 < len(label) <= _LONGEST_LABEL for label in host.removesuffix(".").split(".")):
        raise UnusableValue("alert_host", longest=_LONGEST_LABEL)
    return value


def _usable_repeat(value: str) -> str:
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", value)
    if not match or not _SHORTEST_REPEAT <= int(match[1]) * _MINUTES[match[2]] <= _LONGEST_REPEAT:
        raise UnusableValue("alert_repeat")
    return value


ReceiverName = Annotated[str, Form(r"^[a-z][a-z0-9-]{0,30}$", "alert_receiver_form")]
_Visible = Annotated[SecretStr, AfterValidator(_visible)]


class ReceiverSettings(StrictSettings):
    """Somebody who gets the alerts: a chat robot, a phone or a program."""

    kind: Kind = Field(
        description=mark(
            "What it is: a group's robot of feishu (Lark), wecom or dingtalk, the app bark, or json for a program that "
            "takes plain JSON"
        )
    )
    url: Annotated[_Visible, AfterValidator(_with_host)] | None = Field(
        None,
        description=mark(
            "The webhook's whole address with its key, encrypted: ./deploy.sh config set "
            "monitoring.alerts.receivers.<name>.url --secret"
        ),
    )
    secret: _Visible | None = Field(
        None,
        description=mark(
            "The secret that signs messages of feishu and dingtalk, or the bearer token of json, encrypted: ./deploy.sh "
            "config set monitoring.alerts.receivers.<name>.secret --secret"
        ),
    )
    severities: tuple[Severity, ...] = Field(get_args(Severity), min_length=1, description=mark("Which alerts it gets"))
    resolved: bool = Field(True, description=mark("Whether it is told when an alert is over"))
    private_addresses: bool = Field(
        False,
        description=mark(
            "Whether its address may be private, such as 10.0.0.5, or one of this machine; it may then begin with http"
        ),
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> ReceiverSettings:
        if self.secret and self.kind not in WITH_SECRET:
            raise UnusableValue("alert_secret_unfit", kind=self.kind, kinds=", ".join(WITH_SECRET))
        if not self.url:
            # A person writes the kind first; AlertsSettings.problems says what is missing.
            return self
        url = self.url.get_secret_value()
        parts = urlsplit(url) if has_usable_port(url) else None
        schemes = ("https", "http") if self.private_addresses else ("https",)
        if parts is None or parts.scheme not in schemes or not parts.hostname or parts.username or parts.fragment:
            raise UnusableValue("alert_url", example=EXAMPLES[self.kind])
        key = _KEYS.get(self.kind)
        if (key and not parse_qs(parts.query).get(key)) or (not key and self.kind != "json" and len(parts.path) < 2):
            raise UnusableValue("alert_url_without_key", example=EXAMPLES[self.kind])
        return self


class AlertsSettings(StrictSettings):
    """Where alerts go; Alertmanager groups, repeats and silences them."""

    receivers: dict[ReceiverName, ReceiverSettings] = Field(
        min_length=1, max_length=16, description=mark("Who gets them, by a name of your choice")
    )
    repeat: Annotated[str, AfterValidator(_usable_repeat)] = Field(
        "12h", description=mark("After how long an alert that lasts is sent again: 5m to 7d")
    )
    language: Literal["zh", "en"] = Field("zh", description=mark("The language of the messages"))

    def problems(self, stack: str) -> Iterator[Problem]:
        """Yield a problem for each receiver of a stack without an address, which deployments need."""
        for name, receiver in self.receivers.items():
            if not receiver.url:
                path = ("monitoring", "alerts", "receivers", name, "url")
                command = f"./deploy.sh config set {'.'.join(path)} --secret -s {stack}"
                parameters = {"command": command, "example": EXAMPLES[receiver.kind]}
                yield Problem("alert_url_missing", stack_file(stack), path, parameters=parameters)
