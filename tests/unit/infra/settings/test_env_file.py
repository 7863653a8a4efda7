"""`.env` has the keys of the first version; an error about a wrong value names the line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.access import accepted_tokens
from infra.schema.problems import ConfigurationError
from infra.settings import env_file
from infra.settings.env_file import parse
from infra.settings.stack import StackSettings, parse_settings, read_overrides

SERVICES: dict[str, list[str]] = {"xiaohongshu": [], "template": []}
TOKEN, OTHER = "a1" * 32, "b2" * 16
#: A file with every key, as the first version wrote it.
FIRST = f"""\
# MCP
MCP_AUTH_TOKEN={TOKEN}

XIAOHONGSHU_ENABLED=true
XIAOHONGSHU_MCP_TOKEN={OTHER}
TEMPLATE_ENABLED=false
TEMPLATE_MCP_TOKEN=
REDIS_PASSWORD=
GATEWAY_DOMAIN=localhost
GATEWAY_DEBUG=false
DEBUG=false
LOG_LEVEL=info
MONITORING_ENABLED=false
PROMETHEUS_RETENTION=15d
"""


def settings(text: str, stack: str = "dev", **content: Any) -> StackSettings:
    """Return the settings of a stack whose file has `content` and whose .env has `text`."""
    values = {f"dyber:{key}": json.dumps(value) for key, value in content.items()}
    return parse_settings(stack, values, {}, parse(text, ".env", SERVICES))


def test_a_file_of_the_first_version_is_taken_as_it_is() -> None:
    result = settings(FIRST, profiles=["dev", "monitoring"])
    assert result.profiles == ("dev",)
    assert (result.services["xiaohongshu"].enabled, result.services["template"].enabled) == (True, False)
    assert result.given_tokens["desktop-pet"].get_secret_value() == TOKEN
    assert result.given_tokens["xiaohongshu"].get_secret_value() == OTHER
    assert result.clients["xiaohongshu"].services == {"xiaohongshu": "all"}
    assert result.gateway.server_names == ()


def test_all_twelve_keys_of_the_first_version_are_known_and_two_more() -> None:
    written = [line.split("=")[0] for line in FIRST.splitlines() if "=" in line]
    assert sorted(env_file.keys(SERVICES)) == sorted([*written, "PROFILES", "BUILD_GENERATION"])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GATEWAY_DOMAIN=pet.example.com, 192.168.1.5", {"gateway.server_names": ("pet.example.com", "192.168.1.5")}),
        ("GATEWAY_DEBUG=true", {"gateway.debug": True, "log_level": "info"}),
        ("DEBUG=true", {"log_level": "debug", "gateway.open_docs": True}),
        ("LOG_LEVEL=WARNING", {"log_level": "warning"}),
        ("LOG_LEVEL=info\nDEBUG=true", {"log_level": "debug"}),
        ("MONITORING_ENABLED=true", {"profiles": ("monitoring",)}),
        ("PROFILES=cache, dev", {"profiles": ("cache", "dev")}),
        ("PROFILES=default", {"profiles": ()}),
        ("PROFILES=cache\nMONITORING_ENABLED=true", {"profiles": ("cache", "monitoring")}),
        ("BUILD_GENERATION=7", {"build.generation": 7}),
        ("PROMETHEUS_RETENTION=30d", {"monitoring.retention": "30d"}),
        ("TEMPLATE_ENABLED=on", {"services.template.enabled": True}),
        ("export LOG_LEVEL='error' # quiet", {"log_level": "error"}),
        ("LOG_LEVEL=", {"log_level": "info"}),
    ],
)
def test_each_key_does_what_its_name_says(line: str, expected: dict[str, Any]) -> None:
    result = settings(line)
    for path, value in expected.items():
        place: Any = result
        for part in path.split("."):
            place = place[part] if isinstance(place, dict) else getattr(place, part)
        assert place == value


def test_the_redis_password_reaches_the_cache() -> None:
    password = settings("REDIS_PASSWORD=0123456789abcdef").cache.password
    assert password is not None
    assert password.get_secret_value() == "0123456789abcdef"


def test_env_overrides_values_of_the_stack_file_and_keeps_the_rest() -> None:
    result = settings(
        "LOG_LEVEL=error\nGATEWAY_DOMAIN=pet.example.com\nTEMPLATE_ENABLED=false",
        logLevel="debug",
        gateway={"portOffset": 7, "serverNames": ["other.example.com"]},
        services={"template": {"enabled": True, "cpus": 2}},
    )
    assert result.log_level == "error"
    assert result.gateway.port_offset == 7
    assert result.gateway.server_names == ("other.example.com", "pet.example.com")
    assert (result.services["template"].enabled, result.services["template"].cpus) == (False, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n\nTEMPLATE_ENABLED=maybe\n", r"\.env:3: TEMPLATE_ENABLED = 'maybe'.*true"),
        ("# one\nLOG_LEVEL=loud", r"\.env:2: LOG_LEVEL = 'loud'.*warning"),
        ("PROMETHEUS_RETENTION=forever", r"\.env:1: PROMETHEUS_RETENTION = 'forever'.*15d"),
        ("PROFILES=Dev", r"\.env:1: PROFILES = 'Dev'.*dev,cache"),
        ("BUILD_GENERATION=-1", r"\.env:1: BUILD_GENERATION = '-1'"),
        ("GATEWAY_DOMAIN=http://x", r"\.env:1: GATEWAY_DOMAIN = 'http://x'"),
        ("LOG_LEVEL=info\nTEMPLATE_ENABLE=true", r"\.env:2: TEMPLATE_ENABLE:.*TEMPLATE_ENABLED"),
        ("LOG_LEVEL=info\n=x", r"\.env:2: .*KEY=value"),
    ],
)
def test_a_wrong_value_names_the_file_the_line_and_what_to_write(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        parse(text, ".env", SERVICES)


@pytest.mark.parametrize("line", ["MCP_AUTH_TOKEN=short-secret", "REDIS_PASSWORD=short-secret"])
def test_a_secret_is_not_repeated_in_an_error(line: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(line, ".env", SERVICES)
    assert ".env:1" in str(refused.value)
    assert "short-secret" not in str(refused.value)


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    result = settings(f"MCP_AUTH_TOKEN={TOKEN}\nREDIS_PASSWORD=0123456789abcdef")
    assert TOKEN not in repr(result)
    assert "0123456789abcdef" not in repr(result)


def test_keys_of_other_programs_are_left_alone() -> None:
    assert settings("OPENAI_API_KEY=x\nFOO=bar").log_level == "info"


def test_a_token_for_a_client_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="desktop-pet"):
        settings(f"MCP_AUTH_TOKEN={TOKEN}", clients={"phone": {}})


@pytest.mark.parametrize("key", ["givenTokens", "given_tokens"])
def test_tokens_cannot_be_written_in_clear_into_the_stack_file(key: str) -> None:
    with pytest.raises(ConfigurationError, match="givenTokens"):
        settings("", **{key: {"desktop-pet": TOKEN}})


def test_each_stack_has_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=error")
    (tmp_path / ".env.test").write_text("LOG_LEVEL=debug")
    assert read_overrides(tmp_path, "dev").settings == {"logLevel": "error"}
    assert read_overrides(tmp_path, "test").settings == {"logLevel": "debug"}
    assert read_overrides(tmp_path, "prod").settings == {}


def test_a_token_that_only_repeats_a_generated_one_changes_nothing() -> None:
    given = parse(f"MCP_AUTH_TOKEN={TOKEN}", ".env", SERVICES).tokens["desktop-pet"]
    assert accepted_tokens(["new", TOKEN], given) == ["new", TOKEN]
    assert accepted_tokens(["new", "old"], given) == [TOKEN]
    assert accepted_tokens(["new", "old"], None) == ["new", "old"]


def local(text: str, stack: str, **values: object) -> StackSettings:
    """Return the settings of a stack whose env file has `text` and whose stack file has `values`."""
    encoded = {f"dyber:{key}": json.dumps(value) for key, value in values.items()}
    return parse_settings(stack, encoded, {}, parse(text, env_file.file_name(stack), SERVICES))


@pytest.mark.parametrize("stack", ["test", "prod", "e2e"])
def test_outside_dev_a_local_file_does_not_silently_win_over_the_reviewed_one(stack: str) -> None:
    text = f"MCP_AUTH_TOKEN={TOKEN}\nLOG_LEVEL=debug\nREDIS_PASSWORD=not-to-be-shown-anywhere\nDEBUG=\n"
    with pytest.raises(ConfigurationError) as refused:
        local(text, stack)
    message = str(refused.value)
    assert message.startswith(f".env.{stack}: LOG_LEVEL, REDIS_PASSWORD: ")
    assert f"dyber:localEnv: true in Pulumi.{stack}.yaml" in message
    assert "not-to-be-shown" not in message and TOKEN not in message
    assert local(text, stack, localEnv=True).log_level == "debug"


def test_in_dev_the_local_file_wins_unless_the_stack_file_refuses_it() -> None:
    assert local("LOG_LEVEL=debug", "dev").log_level == "debug"
    with pytest.raises(ConfigurationError, match="localEnv"):
        local("LOG_LEVEL=debug", "dev", localEnv=False)


@pytest.mark.parametrize("stack", ["dev", "test", "prod"])
def test_the_main_clients_token_which_a_deployment_writes_itself_is_taken_everywhere(stack: str) -> None:
    given = local(f"MCP_AUTH_TOKEN={TOKEN}\nLOG_LEVEL=\nREDIS_PASSWORD=\n", stack).given_tokens
    assert given["desktop-pet"].get_secret_value() == TOKEN


def test_what_is_taken_is_named_and_no_value_shown() -> None:
    overrides = parse(f"MCP_AUTH_TOKEN={TOKEN}\nLOG_LEVEL=debug\nDEBUG=\nOF_SOMEBODY_ELSE=1\n", ".env.test", SERVICES)
    line = "taken from .env.test, overriding Pulumi.test.yaml: MCP_AUTH_TOKEN, LOG_LEVEL"
    assert env_file.override_notice(overrides, "test") == line
    assert env_file.override_notice(parse("LOG_LEVEL=\n", ".env", SERVICES), "dev") is None


def test_the_local_file_cannot_allow_itself() -> None:
    assert not [key for key in env_file.keys(SERVICES) if "LOCAL" in key]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (f"# 注释\nMCP_AUTH_TOKEN={TOKEN}\nLOG_LEVEL=".encode() + b"\xff\n", 3),
        (f"MCP_AUTH_TOKEN={TOKEN}\n".encode() + b"\0" * 512, 2),
        (b"\0" * 4096, 1),
        ("LOG_LEVEL=info\n".encode("utf-16"), 1),
    ],
    ids=["odd byte", "zeros at the end", "zeros only", "UTF-16"],
)
def test_bytes_that_are_not_text_are_refused_with_the_line_and_the_next_step(
    tmp_path: Path, content: bytes, line: int
) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        env_file.read(tmp_path, "dev", SERVICES)
    assert f".env:{line}: " in str(refused.value) and "UTF-8" in str(refused.value)
    assert TOKEN not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == [".env"] and (tmp_path / ".env").read_bytes() == content
