"""`config show` and `config diff` show the settings of stacks with their sources, and hide secrets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from cli.system.errors import StackError
from infra.settings.stack import setting_tree
from tests.unit.cli.commands.settings.config.stacks import DEV, PASSWORD, SECURE, Dyber, shown


def test_every_value_is_shown_with_its_source(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / ".env").write_text("LOG_LEVEL=debug\nGATEWAY_DOMAIN=pet.example.com\nMONITORING_ENABLED=true\n")
    monkeypatch.setenv("DYBER_CA_BUNDLE", "/etc/proxy.pem")
    rows = shown(capsys, dyber)
    values_and_sources = {key: (row["value"], row["source"]) for key, row in rows.items()}
    service = "mcp-servers/template/service.yaml"
    assert values_and_sources["gateway.openDocs"] == (True, "Pulumi.dev.yaml")
    assert values_and_sources["gateway.portOffset"] == (0, "default")
    assert values_and_sources["gateway.limits.requestsPerSecond"] == (50, "default")
    assert values_and_sources["logLevel"] == ("debug", ".env")
    assert values_and_sources["gateway.serverNames"] == (["pet.example.com"], ".env")
    assert values_and_sources["profiles"] == (["dev", "monitoring"], ".env")
    assert values_and_sources["build.caBundle"] == ("/etc/proxy.pem", "DYBER_CA_BUNDLE")
    assert values_and_sources["services.template.enabled"] == (True, service)
    assert values_and_sources["services.template.replicas"][1] == service
    assert values_and_sources["services.template.requestsPerSecond"] == (50, "default")
    assert values_and_sources["services.template.egress"] == ("internet", service)
    assert values_and_sources["services.template.secrets"] == ({}, "default")
    assert "stack" not in rows
    assert not any(key.startswith("givenTokens") for key in rows)


def test_every_leaf_of_the_settings_is_shown(dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    rows = shown(capsys, dyber)
    fixed = [path for path, _ in setting_tree().leaves() if "<name>" not in path]
    # Of a section that is not set, only the section itself is shown.
    unset = [key for key, row in rows.items() if row["value"] is None]
    missing = [".".join(path) for path in fixed if ".".join(path) not in rows]
    assert [key for key in missing if not any(key.startswith(f"{section}.") for section in unset)] == []


def test_snake_case_keys_and_a_list_of_clients_have_the_file_as_their_source(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "Pulumi.dev.yaml").write_text("config:\n  dyber:log_level: debug\n  dyber:clients: [a, b]\n")
    rows = shown(capsys, dyber)
    assert (rows["logLevel"]["value"], rows["logLevel"]["source"]) == ("debug", "Pulumi.dev.yaml")
    assert {key for key in rows if key.startswith("clients.")} == {
        "clients.a.services", "clients.a.accounts", "clients.b.services", "clients.b.accounts",
    }  # fmt: skip


def test_the_accounts_of_a_client_are_shown(root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    text = DEV + "  dyber:clients: {phone: {accounts: {xiaohongshu: [second, main]}}}\n"
    (root / "Pulumi.dev.yaml").write_text(text, encoding="utf-8")
    row = shown(capsys, dyber, "clients.phone")["clients.phone.accounts.xiaohongshu"]
    assert (row["value"], row["source"]) == (["second", "main"], "Pulumi.dev.yaml")


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
    printed = capsys.readouterr()
    assert "gateway.openDocs" in printed.out
    assert next(line for line in printed.out.splitlines() if line.startswith("cache.password")).split()[1:] == [
        "•••", "Pulumi.dev.yaml",
    ]  # fmt: skip
    assert "wrong passphrase" in printed.err
    assert "use the right one" in printed.err


def use_its_env_file(stack_file: Path) -> None:
    """Make the stack use its .env.<stack>."""
    content = yaml.safe_load(stack_file.read_text(encoding="utf-8"))
    content["config"]["dyber:localEnv"] = True
    stack_file.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")


def test_stacks_are_compared_by_their_settings_in_force(
    root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / ".env.test").write_text("LOG_LEVEL=debug\n")
    use_its_env_file(root / "Pulumi.test.yaml")
    assert dyber("diff", "dev", "test", "--json") == 1
    assert json.loads(capsys.readouterr().out) == [
        {"key": "logLevel", "secret": False, "dev": "info", "test": "debug"},
        {"key": "gateway.portOffset", "secret": False, "dev": 0, "test": 10000},
        {"key": "gateway.openDocs", "secret": False, "dev": True, "test": False},
        {"key": "localEnv", "secret": False, "dev": None, "test": True},
    ]
    assert dyber("diff", "dev", "dev") == 0
    assert "No differences." in capsys.readouterr().out


def test_secrets_are_compared_and_not_shown(root: Path, dyber: Dyber, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(root / "Pulumi.dev.yaml", root / "Pulumi.test.yaml")
    (root / ".env").write_text(f"REDIS_PASSWORD={PASSWORD}\n")
    (root / ".env.test").write_text(f"REDIS_PASSWORD={PASSWORD}-2\n")
    use_its_env_file(root / "Pulumi.test.yaml")
    use_its_env_file(root / "Pulumi.dev.yaml")
    assert dyber("diff", "dev", "test") == 1
    printed = capsys.readouterr().out
    assert "cache.password  •••  differs" in printed
    assert PASSWORD not in printed
    (root / ".env.test").write_text(f"REDIS_PASSWORD={PASSWORD}\n")
    assert dyber("diff", "dev", "test") == 0


@pytest.mark.usefixtures("undecryptable")
def test_secrets_that_cannot_be_compared_do_not_count_as_equal(
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
