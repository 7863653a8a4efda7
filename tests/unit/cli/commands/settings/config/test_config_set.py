"""`config set` and `config unset` change one setting of the file and keep the rest, or change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.commands.settings import config
from cli.configuration import config_secrets
from cli.configuration.config_keys import parse, typed
from cli.system.errors import StackError
from infra.schema.problems import ConfigurationError
from infra.settings.stack import setting_tree
from tests.unit.cli.commands.settings.config.stacks import DEV, PASSWORD, SECURE, TEST, Dyber, shown


@pytest.mark.usefixtures("undecryptable")
def test_without_the_passphrase_nothing_is_written(root: Path, dyber: Dyber) -> None:
    (root / "Pulumi.dev.yaml").write_text(DEV + SECURE, encoding="utf-8")
    with pytest.raises(StackError, match="wrong passphrase"):
        dyber("set", "logLevel", "debug")
    assert (root / "Pulumi.dev.yaml").read_text(encoding="utf-8") == DEV + SECURE


def test_a_value_is_written_and_everything_else_stays(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    dyber("set", "gateway.limits.requestsPerSecond", "20", "dyber:profiles", "dev,cache")
    assert (root / "Pulumi.dev.yaml").read_text(encoding="utf-8") == DEV.replace("[dev]", "[dev, cache]") + (
        "    limits:\n      requestsPerSecond: 20\n"
    )
    printed = capsys.readouterr().out
    assert "Pulumi.dev.yaml: profiles: [dev] → [dev, cache]" in printed
    assert "./deploy.sh preview" in printed


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("gateway.portOffset", "10000", 10000),
        ("services.template.cpus", "0.5", 0.5),
        ("gateway.openDocs", "true", True),
        ("services.template.enabled", "off", False),
        ("logLevel", "info", "info"),
        ("contracts", "off", "off"),
        ("gateway.serverNames", "a.example, 192.168.1.5", ["a.example", "192.168.1.5"]),
        ("gateway.serverNames", '["a.example"]', ["a.example"]),
        ("gateway.serverNames", "", []),
        ("clients.phone.services.template", "read", "read"),
        ("clients.phone.services.template", "template_echo", ["template_echo"]),
        ("clients.phone.accounts.xiaohongshu", "second,main", ["second", "main"]),
        ("clients", "a,b", ["a", "b"]),
        ("gateway.limits", '{"burst": 5}', {"burst": 5}),
        ("services.template.environment.RETRIES", "5", "5"),
        ("services.template.environment.MODE", "true", "true"),
        ("gateway.portOffset", "many", "many"),
    ],
)
def test_a_word_becomes_the_value_that_the_setting_has(key: str, text: str, value: Any) -> None:
    setting = setting_tree().find(key.split("."))
    assert setting is not None
    assert typed(text, setting) == value
    assert type(typed(text, setting)) is type(value)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["gateway.portOffset", "99999"], "gateway.portOffset = 99999"),
        (["gateway.portOffset", "many"], "portOffset: 0  # 0 … 50000"),
        (["services.weibo.replicas", "2"], "services.weibo: no such service"),
        (["images", "pinned"], "services.template.image"),
        (["clients.phone.services.template", "no_such_tool"], "no such tool"),
        (["clients.phone.accounts.template", "Main"], "clients.phone.accounts.template.0 = 'Main'"),
        (["gateway.tls.source", "files"], "needs certificateFile and keyFile"),
        (["groups.pet.title", "宠物", "groups.pet.services", "template", "hub.enabled", "false"], "groups: this needs"),
        (["groups.pet", '{"title": "宠物", "services": ["template"], "exclude": ["nonsense"]}'], "'nonsense'"),
        (["gateway.oauth.issuers.login", '{"url": "https://login.example", "otherUsers": "nobody"}'], "no such client"),
    ],
)
def test_a_value_that_the_settings_as_a_whole_refuse_is_not_written(
    root: Path, dyber: Dyber, words: list[str], expected: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        dyber("set", *words)
    assert expected in str(refused.value)
    assert "Nothing was written" in str(refused.value)
    assert (root / "Pulumi.dev.yaml").read_text(encoding="utf-8") == DEV


def test_earlier_problems_are_reported_and_can_be_corrected_one_at_a_time(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    file = root / "Pulumi.dev.yaml"
    file.write_text(DEV + "  dyber:logLevel: loud\n  dyber:policy: strict\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="logLevel = 'quiet'"):
        dyber("set", "logLevel", "quiet")
    with pytest.raises(ConfigurationError, match="logLevel = 'loud'"):
        dyber("set", "logLevel", "loud")
    dyber("set", "logLevel", "debug")
    assert "policy = 'strict'" in capsys.readouterr().err
    assert "dyber:logLevel: debug" in file.read_text(encoding="utf-8")
    with pytest.raises(ConfigurationError, match="tls"):
        dyber("set", "gateway.tls.source", "files")
    dyber("unset", "policy")
    assert file.read_text(encoding="utf-8") == DEV + "  dyber:logLevel: debug\n"


def test_one_of_two_missing_secrets_is_stored_and_the_other_is_reported(
    root: Path, dyber: Dyber, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = root / "mcp-servers" / "template" / "service.yaml"
    spec.write_text(
        f"{spec.read_text(encoding='utf-8')}secrets: {{MY_KEY: required, MY_KEY_2: required}}\n", encoding="utf-8"
    )
    stored = []
    monkeypatch.setattr(config, "_ask", lambda key: "abc")
    monkeypatch.setattr(config_secrets, "store", lambda stack, root, key, value: stored.append(key))
    dyber("set", "services.template.secrets.MY_KEY", "--secret")
    assert stored == ["services.template.secrets.MY_KEY"]
    printed = capsys.readouterr().err
    assert "MY_KEY_2 --secret -s dev" in printed
    assert "MY_KEY " not in printed


LOGINS = """\
    oauth:
      issuers:
        login:
          url: https://login.example.com
          otherUsers: desktop-pet
          introspection: {url: https://login.example.com/ask, clientId: gateway}
"""


def test_the_secret_of_logins_is_stored_and_a_stack_with_logins_can_be_changed(
    root: Path, dyber: Dyber, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "Pulumi.dev.yaml").write_text(DEV + LOGINS, encoding="utf-8")
    stored = []
    monkeypatch.setattr(config, "_ask", lambda key: "from-the-provider")
    monkeypatch.setattr(config_secrets, "store", lambda stack, root, key, value: stored.append(key))
    dyber("set", "gateway.oauth.issuers.login.introspection.clientSecret", "--secret")
    assert stored == ["gateway.oauth.issuers.login.introspection.clientSecret"]
    (root / "Pulumi.dev.yaml").write_text(DEV + "".join(LOGINS.splitlines(keepends=True)[:-1]), encoding="utf-8")
    dyber("set", "logLevel", "debug")
    with pytest.raises(ConfigurationError, match=r"gateway\.oauth: this needs the hub"):
        dyber("set", "hub.enabled", "false")


def test_a_group_that_was_wrong_before_does_not_hinder_another_correction(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "  dyber:groups: {pet: {title: 宠物, services: [template], exclude: [nonsense]}}\n  dyber:tokens: {x: {}}\n"
    (root / "Pulumi.dev.yaml").write_text(DEV + wrong, encoding="utf-8")
    dyber("unset", "tokens")
    assert "'nonsense'" in capsys.readouterr().err


def test_values_that_need_each_other_are_set_together(root: Path, dyber: Dyber) -> None:
    dyber("set", "gateway.tls.source", "files", "gateway.tls.certificateFile", "a.pem", "gateway.tls.keyFile", "a.key")
    assert "certificateFile: a.pem" in (root / "Pulumi.dev.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("gateway.portOfset", "gateway.portOffset"),
        ("portOffset", "gateway.portOffset"),
        ("gatway.bind", "gateway.bind"),
        ("services.template.replica", "services.template.replicas"),
        ("log_level", "logLevel"),
    ],
)
def test_an_unknown_key_is_answered_with_the_one_that_was_meant(key: str, meant: str, root: Path) -> None:
    with pytest.raises(typer.BadParameter, match=f"did you mean {meant}"):
        parse(key, setting_tree())


@pytest.mark.parametrize("key", ["", "gateway.", "stack", "givenTokens.a", "gateway.bind.more"])
def test_an_invalid_key_is_refused(key: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse(key, setting_tree())


@pytest.mark.parametrize("words", [["cache.password", PASSWORD], ["cache", json.dumps({"password": PASSWORD})]])
def test_a_secret_in_clear_is_refused_with_the_command_that_takes_it(
    root: Path, dyber: Dyber, words: list[str]
) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        dyber("set", *words, "-s", "test")
    assert "./deploy.sh config set cache.password --secret -s test" in refused.value.message
    assert PASSWORD not in refused.value.message
    assert (root / "Pulumi.test.yaml").read_text(encoding="utf-8") == TEST


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cache.password", "value", "--secret"], "only its key"),
        (
            ["services.template.environment.API_KEY", "--secret"],
            "in clear in the state; secrets: gateway.oauth.issuers.<name>.introspection.clientSecret, ",
        ),
        (["gateway.portOffset"], "needs a value"),
    ],
)
def test_keys_and_values_that_do_not_fit_the_options_are_refused(dyber: Dyber, words: list[str], expected: str) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        dyber("set", *words)
    assert expected in refused.value.message


def test_a_secret_that_the_settings_refuse_is_neither_stored_nor_repeated(
    dyber: Dyber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "_ask", lambda key: "short")
    monkeypatch.setattr(config_secrets, "store", lambda *_: pytest.fail("stored"))
    with pytest.raises(ConfigurationError) as refused:
        dyber("set", "cache.password", "--secret")
    assert "cache.password" in str(refused.value)
    assert "short" not in str(refused.value)


def test_the_first_client_in_the_file_is_added_to_the_default_client(root: Path, dyber: Dyber) -> None:
    dyber("set", "clients.phone.services.template", "read")
    text = (root / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    assert "    desktop-pet: {}\n    phone:\n      services:\n        template: read\n" in text
    dyber("unset", "clients.phone.services")
    text = (root / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    assert "    phone: {}\n" in text


def test_a_list_of_clients_becomes_a_mapping(root: Path, dyber: Dyber) -> None:
    (root / "Pulumi.dev.yaml").write_text("config:\n  dyber:clients: [a, b]\n")
    dyber("unset", "clients.a")
    assert (root / "Pulumi.dev.yaml").read_text() == "config:\n  dyber:clients:\n    b: {}\n"


def test_an_unset_setting_is_removed_and_its_default_applies(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    dyber("unset", "gateway.openDocs")
    assert "dyber:gateway" not in (root / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    assert shown(capsys, dyber, "gateway.openDocs")["gateway.openDocs"]["source"] == "default"
    with pytest.raises(StackError, match="does not set gateway.openDocs"):
        dyber("unset", "gateway.openDocs")


def test_an_unset_secret_is_not_repeated(root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "Pulumi.dev.yaml").write_text(DEV + f"  dyber:cache: {{password: {PASSWORD}}}\n", encoding="utf-8")
    dyber("unset", "cache")
    printed = capsys.readouterr()
    assert "cache: {password: •••} → –" in printed.out
    assert PASSWORD not in printed.out + printed.err


def test_a_setting_that_env_overrules_is_reported(root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    (root / ".env").write_text("LOG_LEVEL=debug\n")
    dyber("set", "logLevel", "warning")
    assert "• .env → logLevel: debug" in capsys.readouterr().err


def test_setting_the_present_value_changes_nothing(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    dyber("set", "gateway.openDocs", "true")
    assert "No changes." in capsys.readouterr().out
    assert (root / "Pulumi.dev.yaml").read_text(encoding="utf-8") == DEV
