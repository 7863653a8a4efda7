"""Secrets are declared by the service, encrypted in the stack's file, and delivered as files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec, declared_secrets, load_catalog
from infra.services.source import Source
from infra.settings import env_file
from infra.settings.env_file import parse
from infra.settings.stack import StackSettings, parse_settings, read_settings
from tests.unit.infra.mocked import in_clear
from tests.unit.infra.test_program import Recorder, declare, ordered

REPOSITORY = Path(__file__).resolve().parents[4]
VALUE, OTHER = "ghp_correct-horse-battery-staple", "ghp_another-value"
DECLARED = {"GITHUB_TOKEN": "optional", "API_KEY": "optional"}


def catalog(**secrets: str) -> dict[str, ServiceSpec]:
    """Return a catalog with only the template, which declares these secrets."""
    template = load_catalog(REPOSITORY / "mcp-servers")["template"]
    return {"template": template.model_copy(update={"profile": None, "secrets": secrets})}


def settings(service_settings: dict[str, Any]) -> StackSettings:
    return parse_settings("dev", {"dyber:services": json.dumps({"template": service_settings})}, {})


def refusal(service_settings: dict[str, Any], **declared: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        settings(service_settings).select(catalog(**declared))
    assert VALUE not in str(refused.value)
    return str(refused.value)


# -- declared ------------------------------------------------------------------------------------------------------


def test_a_name_that_the_service_does_not_declare_is_refused_with_the_nearest() -> None:
    message = refusal({"secrets": {"GITHUB_TOKE": VALUE}}, GITHUB_TOKEN="optional")
    assert "Pulumi.dev.yaml: services.template.secrets.GITHUB_TOKE: " in message
    assert "mcp-servers/template/service.yaml" in message
    assert "did you mean GITHUB_TOKEN" in message


def test_a_required_secret_that_is_missing_is_named_with_the_command_that_writes_it() -> None:
    message = refusal({}, GITHUB_TOKEN="required", API_KEY="optional")
    command = "./deploy.sh config set services.template.secrets.GITHUB_TOKEN --secret -s dev"
    assert command in message
    assert "API_KEY" not in message


def foreign(**secrets: str) -> dict[str, ServiceSpec]:
    """Return a catalog with only a program of others, which declares these secrets."""
    source = Source.model_validate({"npm": "@amap/amap-maps-mcp-server@0.0.8", "command": "mcp-amap"})
    spec = catalog(**secrets)["template"]
    return {"template": spec.model_copy(update={"package": None, "source": source})}


@pytest.mark.parametrize(("stack", "policy"), [("dev", None), ("test", None), ("prod", "advisory")])
def test_a_foreign_service_is_deployed_without_a_required_secret(stack: str, policy: str | None) -> None:
    chosen = StackSettings.model_validate({"stack": stack, "policy": policy})
    specs = chosen.select(foreign(AMAP_KEY="required", OTHER="optional"))
    assert chosen.missing_secrets(specs) == {"template": ("AMAP_KEY",)}
    given = chosen.model_copy(update={"services": settings({"secrets": {"AMAP_KEY": VALUE}}).services})
    assert given.missing_secrets(specs) == {}


@pytest.mark.parametrize(("stack", "policy"), [("prod", None), ("dev", "mandatory")])
def test_a_stack_with_mandatory_rules_refuses_a_foreign_service_without_its_secret(
    stack: str, policy: str | None
) -> None:
    chosen = StackSettings.model_validate({"stack": stack, "policy": policy})
    with pytest.raises(ConfigurationError, match=f"secrets.AMAP_KEY --secret -s {stack}"):
        chosen.select(foreign(AMAP_KEY="required"))


def test_a_misspelt_secret_of_a_foreign_service_stays_an_error() -> None:
    with pytest.raises(ConfigurationError, match="did you mean AMAP_KEY") as refused:
        settings({"secrets": {"AMAP_KEZ": VALUE}}).select(foreign(AMAP_KEY="required"))
    assert len(refused.value.problems) == 1


def test_a_service_that_does_not_run_needs_no_secret() -> None:
    services = {"template": {"enabled": False}, "xiaohongshu": {"enabled": True}}
    chosen = parse_settings("dev", {"dyber:services": json.dumps(services)}, {})
    services = {"xiaohongshu": load_catalog(REPOSITORY / "mcp-servers")["xiaohongshu"], **catalog(API_KEY="required")}
    assert [spec.name for spec in chosen.select(services)] == ["xiaohongshu"]


def test_a_secret_among_the_environment_is_refused() -> None:
    message = refusal({"environment": {"GITHUB_TOKEN": VALUE}}, GITHUB_TOKEN="optional")
    assert "services.template.environment.GITHUB_TOKEN" in message


@pytest.mark.parametrize("value", ["", " \n", 7, ["x"], {"a": VALUE}, "a\0b"])
def test_an_unusable_value_is_refused_and_not_repeated(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"services\.template\.secrets\.API_KEY: ") as refused:
        settings({"secrets": {"API_KEY": value}})
    assert VALUE not in str(refused.value)


@pytest.mark.parametrize(
    "service_settings", [[{"secrets": {"API_KEY": VALUE}}], {"secrets": VALUE}, {"secrets": [VALUE]}]
)
def test_what_has_an_unexpected_form_is_refused_and_not_repeated(service_settings: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Pulumi.dev.yaml: services\.template") as refused:
        settings(service_settings)
    assert VALUE not in str(refused.value)


def test_a_value_does_not_show_when_settings_are_printed() -> None:
    chosen = settings({"secrets": {"API_KEY": VALUE}})
    assert chosen.secrets("template")["API_KEY"].get_secret_value() == VALUE
    assert VALUE not in repr(chosen) and VALUE not in str(chosen.model_dump())


def service(folder: Path, text: str) -> Path:
    (folder / "weibo" / "a_server").mkdir(parents=True)
    (folder / "weibo" / "a_server" / "__main__.py").write_text("")
    (folder / "weibo" / "service.yaml").write_text(f"title: x\nport: 8003\npackage: a_server\n{text}", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("secrets: {DYBER_KEY: optional}", "neither begins with DYBER_"),
        ("secrets: {KEY_FILE: optional}", "nor ends with _FILE"),
        ("secrets: {key: optional}", "weibo/service.yaml: secrets.key"),
        (f"secrets: {{KEY: {VALUE}}}", "secrets.KEY: must be one of 'required', 'optional'"),
        (
            "secrets: {KEY: optional}\nenvironment: {KEY: x}",
            "KEY: declared under secrets, so it cannot be under environment",
        ),
    ],
)
def test_an_unusable_declaration_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        load_catalog(service(tmp_path, text))
    assert VALUE not in str(refused.value)


def test_declared_secrets_are_found_although_another_service_is_broken(tmp_path: Path) -> None:
    (service(tmp_path, "secrets: {KEY: required}") / "broken").mkdir()
    (tmp_path / "broken" / "service.yaml").write_text("title: [")
    assert declared_secrets(tmp_path) == {"broken": (), "weibo": ("KEY",)}


# -- encrypted -----------------------------------------------------------------------------------------------------

SECURE = {"secure": "v1:YWJj:ZGVm"}


def read(root: Path, written: Any, *, encrypted: bool = True) -> StackSettings:
    """Return the settings of a stack whose file has `written` under services, which Pulumi has decrypted."""
    (root / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": {"dyber:services": written}}))
    values = {"dyber:services": json.dumps({"template": {"secrets": {"API_KEY": VALUE, "GITHUB_TOKEN": VALUE}}})}
    return read_settings(root, "dev", values, ["dyber:services"] if encrypted else [])


@pytest.mark.parametrize(
    "written",
    [
        {"template": {"secrets": {"API_KEY": SECURE, "GITHUB_TOKEN": SECURE}}},
        {"template": {"secrets": SECURE}},
        {"template": SECURE},
        SECURE,
    ],
)
def test_values_that_pulumi_encrypted_are_accepted_at_any_level_of_the_file(tmp_path: Path, written: Any) -> None:
    secrets = read(tmp_path, written).secrets("template")
    assert sorted(secrets) == ["API_KEY", "GITHUB_TOKEN"]
    assert {value.get_secret_value() for value in secrets.values()} == {VALUE}


def test_a_value_in_clear_beside_an_encrypted_one_is_refused_with_the_command_that_encrypts_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read(tmp_path, {"template": {"secrets": {"API_KEY": SECURE, "GITHUB_TOKEN": VALUE}}})
    (line,) = str(refused.value).splitlines()
    assert line.startswith("Pulumi.dev.yaml: services.template.secrets.GITHUB_TOKEN: a secret in clear text")
    assert "./deploy.sh config set services.template.secrets.GITHUB_TOKEN --secret -s dev" in line
    assert VALUE not in line


def test_where_nothing_is_encrypted_every_secret_is_refused_wherever_it_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)secrets\.API_KEY.*secrets\.GITHUB_TOKEN"):
        read(tmp_path, {}, encrypted=False)


# -- .env ----------------------------------------------------------------------------------------------------------

SERVICES = {"template": ["GITHUB_TOKEN"], "weibo": ["GITHUB_TOKEN", "API_KEY"]}


def test_a_declared_secret_in_env_goes_to_the_services_that_declare_it_and_wins() -> None:
    values = {"dyber:services": json.dumps({"template": {"cpus": 1, "secrets": {"GITHUB_TOKEN": OTHER}}})}
    chosen = parse_settings("dev", values, {}, parse(f"GITHUB_TOKEN={VALUE}\nAPI_KEY=", ".env", SERVICES))
    assert {name: list(service.secrets) for name, service in chosen.services.items()} == {
        "template": ["GITHUB_TOKEN"],
        "weibo": ["GITHUB_TOKEN"],
    }
    assert chosen.secrets("template")["GITHUB_TOKEN"].get_secret_value() == VALUE
    assert chosen.services["template"].environment == {} and chosen.services["template"].cpus == 1


def test_a_new_env_has_a_line_for_each_declared_secret_and_knows_near_misses() -> None:
    assert [key for key in env_file.keys(SERVICES) if key in ("GITHUB_TOKEN", "API_KEY")] == ["GITHUB_TOKEN", "API_KEY"]
    with pytest.raises(ConfigurationError, match=r"\.env:1: GITHUB_TOKN:.*GITHUB_TOKEN") as refused:
        parse(f"GITHUB_TOKN={VALUE}", ".env", SERVICES)
    assert VALUE not in str(refused.value)


# -- delivered -----------------------------------------------------------------------------------------------------


def fleet(monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str], **template: Any) -> Recorder:
    services = {"template": {"secrets": secrets, **template}}
    return declare(monkeypatch, {"secrets": DECLARED}, ["services"], profiles=["dev"], services=services)


def changes(before: Recorder, after: Recorder) -> set[str]:
    """Return the names of the resources that are new or changed."""
    old = {(item.typ, item.name): item.inputs for item in ordered(before)}
    return {item.name for item in ordered(after) if old.get((item.typ, item.name)) != item.inputs}


def test_a_value_is_in_one_upload_and_pulumi_treats_it_as_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = fleet(monkeypatch, {"GITHUB_TOKEN": VALUE})
    holders = {item.name for item in declared.resources if VALUE in json.dumps(item.inputs, default=str)}
    assert holders == {"template-secrets", "template-secrets-revision"}
    assert VALUE not in json.dumps([in_clear(item.inputs) for item in declared.resources], default=str)


def test_the_service_gets_the_paths_of_read_only_files_and_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    containers = fleet(monkeypatch, {"GITHUB_TOKEN": VALUE, "API_KEY": OTHER}, replicas=2).inputs("Container")
    for name in ("template-server", "template-server-2"):
        environment = dict(entry.split("=", 1) for entry in containers[name]["envs"])
        assert re.fullmatch(r"/run/dyber-secrets/GITHUB_TOKEN-[0-9a-f]+", environment["GITHUB_TOKEN_FILE"])
        assert re.fullmatch(r"/run/dyber-secrets/API_KEY-[0-9a-f]+", environment["API_KEY_FILE"])
        (mount,) = containers[name]["mounts"]
        assert (mount["target"], mount["readOnly"]) == ("/run/dyber-secrets", True)
    assert "dyber-secrets" not in json.dumps(containers["xiaohongshu-server"])


def test_the_files_are_written_by_the_services_user_confined_and_without_a_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    containers = fleet(monkeypatch, {"GITHUB_TOKEN": VALUE}).inputs("Container")
    writer, server = containers["template-secrets"], containers["template-server"]
    assert (writer["user"], writer["image"]) == (server["user"], server["image"])
    assert (writer["networkMode"], writer["mustRun"], writer["restart"]) == ("none", False, "no")
    assert writer["capabilities"] == {"drops": ["ALL"]} and writer["memory"] == writer["memorySwap"]
    assert writer["mounts"][0]["source"] == server["mounts"][0]["source"]


def test_a_secret_touches_its_service_only(monkeypatch: pytest.MonkeyPatch) -> None:
    without = declare(monkeypatch, {"secrets": DECLARED}, profiles=["dev"])
    first, second = (fleet(monkeypatch, {"GITHUB_TOKEN": value}) for value in (VALUE, OTHER))
    files = {"template-secrets", "template-secrets-revision"}
    assert changes(without, first) == {*files, "template-server"}
    assert changes(first, second) == files


def test_a_failed_writer_fails_the_update_with_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Recorder.new_resource

    def new_resource(self: Recorder, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        identity, outputs = answer(self, args)
        if args.name == "template-secrets":
            outputs.update(exitCode=1, containerLogs="No space left on device")
        return identity, outputs

    monkeypatch.setattr(Recorder, "new_resource", new_resource)
    with pytest.raises(
        pulumi.RunError, match="template-secrets: the secrets could not be written.*\nNo space left on device"
    ):
        fleet(monkeypatch, {"GITHUB_TOKEN": VALUE})
