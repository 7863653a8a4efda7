"""A wrong setting is answered with the lines of YAML to write instead, if they can be known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.schema.corrections import yaml_lines
from infra.schema.problems import ConfigurationError
from infra.services.catalog import load_catalog, load_spec
from infra.settings.stack import parse_settings

REPOSITORY = Path(__file__).resolve().parents[4]
PASSWORD = "hunter2-hunter2-hunter2"


def refusal(content: dict[str, Any]) -> str:
    texts = {f"dyber:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in content.items()}
    with pytest.raises(ConfigurationError) as refused:
        parse_settings("dev", texts, {})
    return str(refused.value)


def suggested(message: str) -> Any:
    """Return the settings in the lines that the message proposes."""
    block = message.split("  write:\n")[1].splitlines()
    return yaml.safe_load("\n".join(line for line in block if line.startswith("    ")))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"logLevle": "warning"}, {"dyber:logLevel": "warning"}),
        ({"data_retain": "keep"}, {"dyber:dataRetention": "keep"}),
        ({"gateway": {"portOfset": 5}}, {"dyber:gateway": {"portOffset": 5}}),
        ({"portOffset": 10000}, {"dyber:gateway": {"portOffset": 10000}}),
        ({"gateway": {"burst": 7}}, {"dyber:gateway": {"limits": {"burst": 7}}}),
        ({"gateway": {"portOffset": 99999}}, {"dyber:gateway": {"portOffset": 50000}}),
        ({"gateway": {"limits": {"burst": 0}}}, {"dyber:gateway": {"limits": {"burst": 1}}}),
        ({"services": {"weibo": {"cpus": 0}}}, {"dyber:services": {"weibo": {"cpus": 1}}}),
        ({"gateway": {"portOffset": "many"}}, {"dyber:gateway": {"portOffset": 0}}),
        ({"gateway": {"openDocs": "perhaps"}}, {"dyber:gateway": {"openDocs": False}}),
        ({"gateway": {"serverNames": "a.example, b"}}, {"dyber:gateway": {"serverNames": ["a.example", "b"]}}),
        ({"profiles": "dev,cache"}, {"dyber:profiles": ["dev", "cache"]}),
        ({"logLevel": "warn"}, {"dyber:logLevel": "warning"}),
        ({"contracts": "yes please"}, {"dyber:contracts": "off"}),
        (
            {"services": {"weibo": {"environment": {"RETRIES": 5}}}},
            {"dyber:services": {"weibo": {"environment": {"RETRIES": "5"}}}},
        ),
    ],
)
def test_what_to_write_instead_is_yaml_that_the_settings_accept(wrong: dict[str, Any], right: dict[str, Any]) -> None:
    assert suggested(refusal(wrong)) == right
    parse_settings("dev", {key: json.dumps(value) for key, value in right.items()}, {})


def test_the_possible_values_stand_beside_the_suggestion() -> None:
    assert "portOffset: 50000  # 0 … 50000" in refusal({"gateway": {"portOffset": 99999}})
    assert "dyber:logLevel: info  # debug / info / warning / error" in refusal({"logLevel": "chatty"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"gateway": {"bind": "localhost"}},
        {"services": {"weibo": {"image": "weibo:latest"}}},
        {"clients": {"pet": {"services": {"weibo": "write"}}}},
        {"clients": ["Desktop Pet"]},
        {"gateway": {"nothingLikeIt": 1}},
    ],
)
def test_no_value_is_proposed_where_it_cannot_be_known(wrong: dict[str, Any]) -> None:
    assert "write:" not in refusal(wrong)


def test_an_unknown_key_that_resembles_none_is_answered_with_those_beside_it() -> None:
    message = refusal({"gateway": {"breaker": {"xyz": 1}}})
    assert "known keys: failures, seconds" in message


def test_an_unknown_key_in_a_list_is_answered_with_the_keys_of_its_entries() -> None:
    issuer = {"url": "https://login.example.com", "users": [{"group": "pets", "value": "x", "client": "desktop-pet"}]}
    message = refusal({"gateway": {"oauth": {"issuers": {"login": issuer}}}})
    assert message.startswith("Pulumi.dev.yaml: gateway.oauth.issuers.login.users.0.group: no such key\n")
    assert message.endswith("known keys: client, value, claim")


@pytest.mark.parametrize(
    "content",
    [
        {"cache": {"pasword": PASSWORD}},
        {"cache": {"password": "hunter2 with blanks in it"}},
        {"cache": {"password": ["hunter2"]}},
        {"cache": "hunter2"},
        {"cache": ["hunter2"]},
    ],
)
def test_a_secret_is_never_repeated(content: dict[str, Any]) -> None:
    assert "hunter2" not in refusal(content)


def test_a_secret_under_a_wrong_key_is_answered_with_the_command_that_takes_it() -> None:
    assert "./deploy.sh config set cache.password --secret" in refusal({"cache": {"pasword": PASSWORD}})


@pytest.mark.parametrize(
    ("cache", "written"),
    [
        (True, {"dyber:profiles": ["dev", "cache"]}),
        (False, {"dyber:services": {"template": {"replicas": 1}}}),
    ],
)
def test_replicas_without_shared_limits_are_answered_with_what_lets_them_run(cache: bool, written: Any) -> None:
    template = load_catalog(REPOSITORY / "mcp-servers")["template"]
    catalog = {"template": template.model_copy(update={"account_limits": True, "data": True, "cache": cache})}
    values = {"dyber:profiles": '["dev"]', "dyber:services": '{"template": {"replicas": 2}}'}
    with pytest.raises(ConfigurationError) as refused:
        parse_settings("dev", values, {}).select(catalog)
    assert suggested(str(refused.value)) == written


def test_too_many_replicas_are_answered_with_the_maximum() -> None:
    catalog = load_catalog(REPOSITORY / "mcp-servers")
    name, most = next((name, spec.max_replicas) for name, spec in catalog.items() if spec.max_replicas < 16)
    settings = parse_settings("dev", {"dyber:services": json.dumps({name: {"enabled": True, "replicas": 16}})}, {})
    with pytest.raises(ConfigurationError) as refused:
        settings.select(catalog)
    assert suggested(str(refused.value)) == {"dyber:services": {name: {"replicas": most}}}


def test_a_service_yaml_is_answered_with_its_own_keys(tmp_path: Path) -> None:
    folder = tmp_path / "weibo"
    folder.mkdir()
    (folder / "service.yaml").write_text("title: x\nport: 8003\npackage: weibo\nmemory_mb: 300\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load_spec(folder / "service.yaml")
    assert suggested(str(refused.value)) == {"memory_mib": 300}


def test_yaml_lines_are_nested_and_quoted_as_yaml_needs_it() -> None:
    assert yaml_lines(("services", "a", "environment", "X"), "off", prefix="dyber:") == [
        "dyber:services:", "  a:", "    environment:", "      X: 'off'",
    ]  # fmt: skip
