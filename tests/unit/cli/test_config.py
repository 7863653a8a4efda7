"""`config`: the settings of a stack with their sources, and changing them in its file, without Pulumi or an engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from stack.errors import ConfigurationError
from stack.settings import setting_tree

from cli import config, config_secrets, effective, stack
from cli.app import app
from cli.config_keys import parse, typed
from cli.stack import StackError

REPOSITORY = Path(__file__).resolve().parents[3]
DEV = """\
# yaml-language-server: $schema=docs/stack.schema.json
# 开发 / development
config:
  dyber:profiles: [dev] # who
  # a note
  dyber:gateway:
    openDocs: true
"""
TEST = """\
config:
  dyber:gateway:
    portOffset: 10000
  dyber:profiles: [dev]
"""
PASSWORD = "a-long-password-of-tests"
SECURE = "  dyber:cache:\n    password:\n      secure: v1:abc=:def\n"

Dyber = Callable[..., int]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the stacks dev and test, and two services."""
    for name in ("template", "xiaohongshu"):
        skipped = shutil.ignore_patterns("__pycache__", "tests")
        shutil.copytree(REPOSITORY / "mcp-servers" / name, tmp_path / "mcp-servers" / name, ignore=skipped)
    (tmp_path / "Pulumi.dev.yaml").write_text(DEV, encoding="utf-8")
    (tmp_path / "Pulumi.test.yaml").write_text(TEST, encoding="utf-8")
    monkeypatch.setattr(stack, "ROOT", tmp_path)
    for variable in ("DYBER_PIP_INDEX_URL", "DYBER_CA_BUNDLE", "DYBER_STACK"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DYBER_LANG", "en")
    return tmp_path


@pytest.fixture
def dyber(root: Path) -> Dyber:
    """Runs a command line; its exit code. Errors are raised."""

    def run(*arguments: str) -> int:
        return int(typer.main.get_command(app)(["config", *arguments], standalone_mode=False) or 0)

    return run


@pytest.fixture
def undecryptable(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(stack: str, root: Path) -> dict[str, Any]:
        raise StackError("wrong passphrase", "use the right one")

    monkeypatch.setattr(effective, "decrypted", refuse)


def shown(capsys: pytest.CaptureFixture[str], dyber: Dyber, *arguments: str) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    dyber("show", "--json", *arguments)
    return {row["key"]: row for row in json.loads(capsys.readouterr().out)}


def test_every_value_is_shown_with_what_says_it(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / ".env").write_text("LOG_LEVEL=debug\nGATEWAY_DOMAIN=pet.example.com\nMONITORING_ENABLED=true\n")
    monkeypatch.setenv("DYBER_CA_BUNDLE", "/etc/proxy.pem")
    rows = shown(capsys, dyber)
    found = {key: (row["value"], row["source"]) for key, row in rows.items()}
    service = "mcp-servers/template/service.yaml"
    assert found["gateway.openDocs"] == (True, "Pulumi.dev.yaml")
    assert found["gateway.portOffset"] == (0, "default")
    assert found["gateway.limits.requestsPerSecond"] == (50, "default")
    assert found["logLevel"] == ("debug", ".env")
    assert found["gateway.serverNames"] == (["pet.example.com"], ".env")
    assert found["profiles"] == (["dev", "monitoring"], ".env")
    assert found["build.caBundle"] == ("/etc/proxy.pem", "DYBER_CA_BUNDLE")
    assert found["services.template.enabled"] == (True, service)
    assert found["services.template.replicas"][1] == service
    assert found["services.template.requestsPerSecond"] == (50, "default")
    assert found["services.template.egress"] == ("internet", service)
    assert found["services.template.secrets"] == ({}, "default")
    assert "stack" not in rows
    assert not any(key.startswith("givenTokens") for key in rows)


def test_every_leaf_of_the_settings_is_shown(dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    rows = shown(capsys, dyber)
    fixed = [".".join(path) for path, _ in setting_tree().leaves() if "<name>" not in path]
    assert [key for key in fixed if key not in rows] == []


def test_keys_as_python_names_them_and_a_list_of_clients_come_from_the_file(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "Pulumi.dev.yaml").write_text("config:\n  dyber:log_level: debug\n  dyber:clients: [a, b]\n")
    rows = shown(capsys, dyber)
    assert (rows["logLevel"]["value"], rows["logLevel"]["source"]) == ("debug", "Pulumi.dev.yaml")
    assert {key for key in rows if key.startswith("clients.")} == {"clients.a.services", "clients.b.services"}


def test_a_part_is_shown_and_one_key_with_its_meaning(dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(shown(capsys, dyber, "gateway.breaker")) == {"gateway.breaker.failures", "gateway.breaker.seconds"}
    dyber("show", "dyber:gateway.portOffset")
    text = capsys.readouterr().out
    assert "Added to every published port" in text
    assert "0–50000" in text


def test_a_secret_of_env_is_not_shown(root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    (root / ".env").write_text(f"REDIS_PASSWORD={PASSWORD}\nMCP_AUTH_TOKEN={'t' * 40}\n")
    (root / "Pulumi.dev.yaml").write_text(
        DEV + "  dyber:services: {template: {environment: {API_KEY: k-1234, MODE: x}}}\n", encoding="utf-8"
    )
    rows = shown(capsys, dyber)
    assert rows["cache.password"] == {"key": "cache.password", "value": None, "source": ".env", "secret": True}
    assert rows["services.template.environment.MODE"]["value"] == "x"
    dyber("show")
    text = capsys.readouterr().out
    assert "cache.password" in text
    assert not {PASSWORD, "t" * 40, "k-1234"} & set(text.split())
    assert "k-1234" not in json.dumps(rows)


@pytest.mark.usefixtures("undecryptable")
def test_without_the_passphrase_all_but_the_secrets_is_shown(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "Pulumi.dev.yaml").write_text(DEV + SECURE, encoding="utf-8")
    assert dyber("show") == 0
    told = capsys.readouterr()
    assert "gateway.openDocs" in told.out
    assert next(line for line in told.out.splitlines() if line.startswith("cache.password")).split()[1:] == [
        "•••", "Pulumi.dev.yaml",
    ]  # fmt: skip
    assert "wrong passphrase" in told.err
    assert "use the right one" in told.err


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
    told = capsys.readouterr().out
    assert "Pulumi.dev.yaml: profiles: [dev] → [dev, cache]" in told
    assert "./deploy.sh preview" in told


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
        (["services.weibo.replicas", "2"], "services.weibo: 没有这个服务"),
        (["images", "pinned"], "services.template.image"),
        (["clients.phone.services.template", "no_such_tool"], "no such tool"),
        (["gateway.tls.source", "files"], "needs certificateFile and keyFile"),
    ],
)
def test_what_the_whole_settings_refuse_is_not_written(
    root: Path, dyber: Dyber, words: list[str], expected: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        dyber("set", *words)
    assert expected in str(refused.value)
    assert "Nothing was written" in str(refused.value)
    assert (root / "Pulumi.dev.yaml").read_text(encoding="utf-8") == DEV


def test_what_was_wrong_before_is_told_and_can_be_mended_one_by_one(
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


def test_one_of_two_missing_secrets_is_stored_and_the_other_is_told(
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
    told = capsys.readouterr().err
    assert "MY_KEY_2 --secret -s dev" in told
    assert "MY_KEY " not in told


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
def test_a_key_that_is_none_is_refused(key: str) -> None:
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
        (["services.template.environment.API_KEY", "--secret"], "in clear in the state; secrets: cache.password"),
        (["gateway.portOffset"], "needs a value"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(dyber: Dyber, words: list[str], expected: str) -> None:
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


def test_a_first_client_of_the_file_stands_beside_the_default_one(root: Path, dyber: Dyber) -> None:
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


def test_what_is_unset_goes_and_its_default_is_back(
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
    told = capsys.readouterr()
    assert "cache: {password: •••} → –" in told.out
    assert PASSWORD not in told.out + told.err


def test_it_is_said_when_env_decides_otherwise(root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    (root / ".env").write_text("LOG_LEVEL=debug\n")
    dyber("set", "logLevel", "warning")
    assert "• .env → logLevel: debug" in capsys.readouterr().err


def test_setting_what_is_already_so_changes_nothing(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    dyber("set", "gateway.openDocs", "true")
    assert "No changes." in capsys.readouterr().out
    assert (root / "Pulumi.dev.yaml").read_text(encoding="utf-8") == DEV


def test_the_difference_of_two_stacks_is_what_their_settings_come_to(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / ".env.test").write_text("LOG_LEVEL=debug\n")
    assert dyber("diff", "dev", "test", "--json") == 1
    assert json.loads(capsys.readouterr().out) == [
        {"key": "logLevel", "secret": False, "dev": "info", "test": "debug"},
        {"key": "gateway.portOffset", "secret": False, "dev": 0, "test": 10000},
        {"key": "gateway.openDocs", "secret": False, "dev": True, "test": False},
    ]
    assert dyber("diff", "dev", "dev") == 0
    assert "No differences." in capsys.readouterr().out


def test_secrets_are_compared_and_not_shown(root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(root / "Pulumi.dev.yaml", root / "Pulumi.test.yaml")
    (root / ".env").write_text(f"REDIS_PASSWORD={PASSWORD}\n")
    (root / ".env.test").write_text(f"REDIS_PASSWORD={PASSWORD}-2\n")
    assert dyber("diff", "dev", "test") == 1
    told = capsys.readouterr().out
    assert "cache.password  •••  differs" in told
    assert PASSWORD not in told
    (root / ".env.test").write_text(f"REDIS_PASSWORD={PASSWORD}\n")
    assert dyber("diff", "dev", "test") == 0


@pytest.mark.usefixtures("undecryptable")
def test_secrets_that_cannot_be_compared_are_no_agreement(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("dev", "test"):
        (root / f"Pulumi.{name}.yaml").write_text("config:\n" + SECURE, encoding="utf-8")
    with pytest.raises(StackError, match="secrets were not compared"):
        dyber("diff", "dev", "test")


def test_an_unknown_stack_is_answered_with_the_known_ones(dyber: Dyber) -> None:
    with pytest.raises(StackError) as refused:
        dyber("show", "-s", "tets")
    assert "dev, test" in refused.value.next_step
