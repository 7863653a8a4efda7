"""The JSON Schema and the reference of the settings match the models of the settings."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from cli.commands.deployment.plan import file_at
from cli.configuration import settings_reference
from cli.configuration.settings_reference import ENVIRONMENTS, PAGES, SCHEMA, environment_files, page, schema
from infra.settings.stack import parse_settings, setting_tree
from messages import in_language

REPOSITORY = Path(__file__).resolve().parents[4]
WRITE_ANEW = "out of date; run: ./deploy.sh config reference"
DIGEST = "sha256:" + "0" * 64
RICH = f"""
# yaml-language-server: $schema=docs/stack.schema.json
secretsprovider: awskms://alias/dyber
encryptedkey: abc
config:
  aws:region: eu-central-1
  dyber:profiles: [dev, cache]
  dyber:logLevel: debug
  dyber:images: pinned
  dyber:policy: mandatory
  dyber:registry: registry.example.com/dyber
  dyber:gatewayImage: registry.example.com/dyber/gateway@{DIGEST}
  dyber:clients:
    desktop-pet: {{}}
    phone:
      services:
        xiaohongshu: read
        template: [template_echo]
  dyber:tokens:
    phone: {{generation: 2, previous: true}}
  dyber:gateway:
    bind: "::1"
    portOffset: 100
    serverNames: [pet.example.com]
    limits: {{requestsPerSecond: 20}}
    tls: {{source: acme, acmeEmail: me@example.com}}
  dyber:cache:
    memoryMib: 256
    password:
      secure: v1:abc=:def
  dyber:monitoring: {{retention: 2h30m}}
  dyber:services:
    template:
      cpus: 0.5
      replicas: 2
      environment: {{FOO: bar}}
      image: {DIGEST}
      contract:
        sha256: {"a" * 64}
        tools: {{template_echo: read}}
  dyber:build: {{generation: 3, pipIndexUrl: null}}
"""


def texts(revision: str | None = None) -> dict[str, str]:
    """Return by environment the text of its stack file, at present or in a git revision."""
    names = {name: f"Pulumi.{name}.yaml" for name in ENVIRONMENTS}
    if revision is None:
        return {name: (REPOSITORY / file).read_text(encoding="utf-8") for name, file in names.items()}
    return {name: file_at(revision, file) for name, file in names.items()}


def problems(content: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(schema()).iter_errors(content)]


def without_environments(text: str) -> str:
    """Return the page with an empty column of environments, as users may change their stack files."""
    return re.sub(r"^((?:\| (?:[^|\\]|\\.)*){3})\| (?:[^|\\]|\\.)*", r"\1| ", text, flags=re.MULTILINE)


def test_the_schema_matches_the_models() -> None:
    committed = (REPOSITORY / SCHEMA).read_text(encoding="utf-8")
    assert committed == settings_reference.files()[settings_reference.ROOT / SCHEMA], f"{SCHEMA}: {WRITE_ANEW}"
    Draft202012Validator.check_schema(json.loads(committed))


@pytest.mark.parametrize(("language", "file"), PAGES.items())
def test_the_reference_matches_the_models(language: str, file: str) -> None:
    committed = (REPOSITORY / file).read_text(encoding="utf-8")
    generated = page(language, environment_files(texts()))
    assert without_environments(generated) != generated
    assert without_environments(committed) == without_environments(generated), f"{file}: {WRITE_ANEW}"


@pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="no git clone: only the stack files of this machine")
@pytest.mark.parametrize(("language", "file"), PAGES.items())
def test_the_reference_says_which_environment_sets_what(language: str, file: str) -> None:
    committed = (REPOSITORY / file).read_text(encoding="utf-8")
    # The reference follows the stack files as committed or, before a commit, as they are.
    generated = [page(language, environment_files(content)) for content in (texts("HEAD"), texts())]
    assert committed in generated, f"{file}: {WRITE_ANEW}"


def test_values_that_commands_write_are_not_in_the_reference() -> None:
    written = {
        "test": {"services": {"a": {"image": DIGEST, "cpus": 1}}, "gatewayImage": DIGEST, "build": {"generation": 9}}
    }
    generated, plain = page("en", written), page("en", {})
    changed = [line for line, other in zip(generated.splitlines(), plain.splitlines(), strict=True) if line != other]
    assert len(changed) == 1
    assert "test services.a.cpus: `1`" in changed[0]


def test_a_secret_is_not_in_the_reference() -> None:
    assert "hunter2" not in page("en", {"dev": {"cache": {"password": "hunter2"}}})


@pytest.mark.parametrize("language", PAGES)
def test_the_keys_of_the_objects_in_a_list_are_in_the_reference(language: str) -> None:
    generated = page(language, {})
    for key in ("gateway.oauth.issuers.<name>.users[].claim", "source.accepted[].reason"):
        (row,) = [line for line in generated.splitlines() if line.startswith(f"| `{key}` |")]
        assert row.split(" | ")[-1].removesuffix(" |").strip(), f"{key} has no description"


def test_every_setting_is_described_in_chinese_and_in_english() -> None:
    tree = setting_tree()
    places = [*tree.leaves(), *(((key,), setting) for key, setting in tree.properties.items())]
    han = re.compile(r"[\u4e00-\u9fff]")
    wrong = [
        ".".join(path)
        for path, setting in places
        if not han.search(in_language("zh", setting.description))
        or not setting.description
        or han.search(setting.description)
    ]
    assert wrong == []


def test_what_is_generated_does_not_depend_on_the_language_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for language in ("zh", "en"):
        monkeypatch.setenv("DYBER_LANG", language)
        made.append(settings_reference.files())
    assert made[0] == made[1]


def test_the_schema_describes_a_setting_in_chinese_and_then_in_english() -> None:
    description = schema()["properties"]["config"]["properties"]["dyber:logLevel"]["description"]
    assert description == "服务的日志级别\nThe log level of the services"


@pytest.mark.parametrize("stack", ENVIRONMENTS)
def test_the_stack_files_pass_the_schema_and_name_it(stack: str) -> None:
    text = texts()[stack]
    assert problems(yaml.safe_load(text)) == []
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={SCHEMA}"
    assert (REPOSITORY / SCHEMA).is_file()


def test_a_file_with_everything_passes_the_schema_and_the_settings() -> None:
    content = yaml.safe_load(RICH)
    assert problems(content) == []
    config = copy.deepcopy(content["config"])
    config["dyber:cache"]["password"] = "x" * 16
    parse_settings("test", {key: json.dumps(value) for key, value in config.items()}, {})


@pytest.mark.parametrize("clients", [["a", "b"], {"a": {}, "b": {"services": {"x": "all"}}}])
def test_clients_are_a_list_or_a_mapping(clients: Any) -> None:
    assert problems({"config": {"dyber:clients": clients}}) == []


def test_a_file_without_settings_passes() -> None:
    assert problems({"config": None, "encryptionsalt": "v1:a:b"}) == []


@pytest.mark.parametrize(
    "config",
    [
        {"dyber:logLevle": "info"},
        {"dyber:logLevel": "loud"},
        {"dyber:gateway": {"portOfset": 1}},
        {"dyber:gateway": {"portOffset": 50001}},
        {"dyber:gateway": {"portOffset": "1"}},
        {"dyber:gateway": {"bind": "localhost"}},
        {"dyber:gateway": {"tls": {"acmeEmail": "nobody"}}},
        {"dyber:services": {"a": {"cpus": 0}}},
        {"dyber:services": {"a": {"environment": {"lower": "x"}}}},
        {"dyber:services": {"a": {"image": "a:latest"}}},
        {"dyber:clients": {}},
        {"dyber:clients": ["Desktop Pet"]},
        {"dyber:clients": {"a": {"services": {"x": "write"}}}},
        {"dyber:cache": {"password": "in clear, in a file that git keeps"}},
        {"dyber:cache": {"password": {"secure": "v1:a", "more": 1}}},
        {"dyber:logLevel": {"secure": "v1:a"}},
        {"dyber:stack": "dev"},
        {"dyber:givenTokens": {"desktop-pet": "x" * 32}},
        {"dyber:build": {"baseImage": "debian:latest"}},
    ],
)
def test_a_wrong_setting_fails(config: dict[str, Any]) -> None:
    assert problems({"config": config})


def test_a_wrong_key_beside_config_fails() -> None:
    assert problems({"confg": {}})
