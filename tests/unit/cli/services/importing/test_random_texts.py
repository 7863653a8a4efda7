"""A key or token is told from ordinary values by its look, and never becomes an argument in service.yaml."""

from __future__ import annotations

import pytest

from cli.services.importing import source_words
from cli.services.importing.placeholders import Placeholders
from cli.services.importing.random_texts import looks_random
from cli.services.importing.requests import RefusedError, SourceRequest
from cli.services.importing.values import Values

RANDOM = (
    "AbCdEf0123456789zzZZ",
    "zq7-Sup3rS3cretValue-9x",
    "8f14e45fceea167a5a36dedd4bea2543",
    "a8F_k2-Lm9Qx_7Zt-Pw3",
    "QmFzZTY0RW5jb2RlZA==",
    "kJ8sLq2ZxW9vB4nM",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "XqZtRmPLkJvBnWsDfG",
)
ORDINARY = (
    "claude-3-5-sonnet-20241022",
    "anthropic/claude-sonnet-4-5-20250929",
    "Qwen2.5-72B-Instruct-GPTQ-Int4",
    "doubao-1-5-pro-32k-250115",
    "readOnlyModeEnabledForAll",
    "MyProjectServer2024",
    "com.example.MyServerApplication2",
    "@modelcontextprotocol/server-filesystem@2025.8.21",
    "/data/a1b2c3d4e5f60718",
    "./x9/y8z7a1b2c3d4e5f6",
    "C:\\x9\\y8z7a1b2c3d4e5f6",
    "Asia/Shanghai",
    "https://example.com/a1b2c3d4e5f60718293a4b5c",
    "550e8400-e29b-41d4-a716-446655440000",
    "cli_a1b2c3d4e5f60718",
    "wx1234567890abcdef",
    "rm-bp1abcdefgh1234567.mysql.rds.aliyuncs.com",
    "2025-11-25T10:20:30Z",
    "13800138000123456",
    "sha256:9f86d081884c7d659a2feaa0c55ad015",
    "me.name2024@example.com",
    "v1.2.3-rc.1+build.20251122",
    "postgresql16-server-5432",
    "preset.im.default,preset.bitable.default",
    "streamable-http",
    "3306",
)
SECRET = "AbCdEf0123456789zzZZ"
LARK = "npx -y @larksuiteoapi/lark-mcp mcp -a cli_a1b2c3 -s "


def request(line: str, **answers: str) -> SourceRequest:
    made = SourceRequest()
    source_words.read(
        line, Values(made, Placeholders(answers={key.replace("_", "-"): answers[key] for key in answers}))
    )
    return made


@pytest.mark.parametrize("text", RANDOM)
def test_keys_and_tokens_look_random(text: str) -> None:
    assert looks_random(text)


@pytest.mark.parametrize("text", ORDINARY)
def test_names_paths_versions_and_public_identifiers_do_not(text: str) -> None:
    assert not looks_random(text)


@pytest.mark.parametrize(
    ("arguments", "place"),
    [(f"-a cli_a1b2c3 -s {SECRET}", "4, -s"), (f"-s{SECRET}", "1, -s"), (f"--app={SECRET}", "1, --app"),
     (f"--app {SECRET}", "2, --app"), (SECRET, "1"), ("-u root -p kJ8sLq2ZxW", "4, -p"), (f"APP={SECRET}", "1")],
)  # fmt: skip
def test_an_argument_that_looks_like_a_secret_is_refused_without_showing_it(arguments: str, place: str) -> None:
    with pytest.raises(RefusedError) as refused:
        request(f"npx -y x {arguments}")
    assert f"argument {place} looks like a secret" in str(refused.value)
    assert "--secret NAME" in str(refused.value)
    assert arguments.split()[-1] not in str(refused.value)


@pytest.mark.parametrize("arguments", ["'Server=db;User=u;Password=pw12'", "'https://m.example.com/mcp?key=pw12'"])
def test_a_secret_inside_of_an_argument_is_refused(arguments: str) -> None:
    with pytest.raises(RefusedError, match="a secret as an argument"):
        request(f"npx -y x --connection {arguments}")


@pytest.mark.parametrize(
    "arguments", ["-p 3306", "-t stdio", "-s src/tables", "-m claude-3-5-sonnet-20241022", "-a cli_a1b2c3d4e5f60718"]
)
def test_ordinary_arguments_are_taken(arguments: str) -> None:
    assert request(f"npx -y x {arguments}").arguments == tuple(arguments.split())


def test_a_public_value_is_taken_when_it_is_given_again() -> None:
    assert request(LARK + SECRET, argument_5=SECRET).arguments[-1] == SECRET
    with pytest.raises(RefusedError):
        request(LARK + SECRET, argument_5="other")


def test_an_answer_in_place_of_a_placeholder_may_not_be_a_secret() -> None:
    for key in ("YOUR_KEY", "<key>"):
        with pytest.raises(RefusedError, match="looks like a secret"):
            request(f"npx -y x -k {key}", argument_2=SECRET)


def test_an_answer_in_place_of_a_variable_s_placeholder_becomes_a_secret_if_it_looks_like_one() -> None:
    made = SourceRequest()
    values = Values(made, Placeholders(answers={"DATABASE_URI": "postgres://u:pw12@db/x", "MODE": "fast"}))
    values.variable("DATABASE_URI", "<dsn>")
    values.variable("MODE", "<mode>")
    assert made.environment == {"MODE": "fast"}
    assert list(made.secrets) == ["DATABASE_URI"]


def test_a_long_text_of_letters_is_looked_at_in_a_reasonable_time() -> None:
    assert looks_random("abcdefgh" * 50 + "1b-") is True


def test_a_variable_whose_value_looks_like_a_secret_becomes_one() -> None:
    made = SourceRequest()
    values = Values(made)
    values.variable("LARK_APP", SECRET)
    values.variable("LARK_MODEL", "claude-3-5-sonnet-20241022")
    assert made.environment == {"LARK_MODEL": "claude-3-5-sonnet-20241022"}
    assert list(made.secrets) == ["LARK_APP"]
    assert "LARK_APP is taken as a secret" in made.remarks[0].text()
