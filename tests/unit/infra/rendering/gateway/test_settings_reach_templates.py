"""Templates read the gateway's settings directly from the model; no code between them names a setting."""

from __future__ import annotations

import re
import shutil
from functools import reduce
from pathlib import Path

import pytest

from infra.rendering.gateway import configuration, inputs
from infra.settings.gateway import GatewaySettings
from infra.settings.stack import StackSettings

TEMPLATES = configuration.NGINX_FOLDER / "templates"


def test_what_templates_read_of_the_settings_is_in_the_model() -> None:
    texts = [template.read_text(encoding="utf-8") for template in TEMPLATES.rglob("*.j2")]
    paths = {path for text in texts for path in re.findall(r"\bsettings\.([a-z_.]+)", text)}
    assert {"max_body_mib", "limits.burst", "breaker.seconds", "tls.source", "debug"} <= paths
    for path in paths:
        reduce(getattr, path.split("."), GatewaySettings())


def test_a_new_setting_needs_its_field_and_a_line_in_a_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gateway(GatewaySettings):
        keepalive_seconds: int = 75

    class Stack(StackSettings):
        gateway: Gateway = Gateway()

    shutil.copytree(configuration.NGINX_FOLDER, tmp_path / "nginx")
    template = tmp_path / "nginx" / "templates" / "keepalive.conf.j2"
    template.write_text("keepalive_timeout {{ settings.keepalive_seconds }}s;\n", encoding="utf-8")
    monkeypatch.setattr(configuration, "NGINX_FOLDER", tmp_path / "nginx")
    monkeypatch.setattr(configuration, "_environment", configuration._environment.__wrapped__)
    stack = Stack(stack="dev", gateway={"keepaliveSeconds": 20})
    assert inputs.configuration(stack, [], {})["keepalive.conf"] == "keepalive_timeout 20s;\n"
