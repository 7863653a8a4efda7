"""No service can have a name, an image, a port or a user that the program itself declares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.configuration.selection import ALL, FEATURES, FULL, GATEWAY
from infra.rendering.gateway.model import GatewayService
from infra.schema.problems import ConfigurationError
from infra.services import reserved_names
from infra.services.catalog import BASE_UID, SERVICE_PORTS, load_catalog
from infra.services.ports import GATEWAY_PORTS
from infra.settings import env_file
from infra.settings.profiles import BUILT_IN_PROFILES
from tests.unit.infra.services.test_catalog import add_service
from tests.unit.infra.test_program import SERVICES, Recorder, declare

EVERYTHING: dict[str, Any] = {
    "profiles": ["dev", "cache", "monitoring"],
    "console": {"enabled": True},
    "services": {"template": {"secrets": {"TEMPLATE_TOKEN": "x"}}},
    "gateway": {"serverNames": ["pet.example.com"], "tls": {"source": "acme"}},
}


@pytest.fixture(scope="module")
def declared() -> Iterator[list[Recorder]]:
    """Everything that the program can declare, with a certificate from ACME and with a certificate from files."""
    with pytest.MonkeyPatch.context() as patch:
        changed = {"secrets": {"TEMPLATE_TOKEN": "optional"}}
        recorders = [declare(patch, changed, encrypted=["services"], **EVERYTHING)]
        patch.setattr(
            "infra.rendering.gateway.inputs.tls_files", lambda settings: {"certificateFile": "", "keyFile": ""}
        )
        files = {"tls": {"source": "files", "certificateFile": "a.pem", "keyFile": "b.pem"}}
        recorders.append(declare(patch, **{**EVERYTHING, "services": {}, "gateway": files}))
        yield recorders


def of_a_service(name: str) -> bool:
    return name in SERVICES


def labels(recorder: Recorder) -> set[str]:
    """Return the values of the label with the service of a container, network or volume."""
    values = set()
    for resource in recorder.resources:
        for item in resource.inputs.get("labels") or []:
            if item["label"] == "dyber.service":
                values.add(item["value"])
    return values


def images(recorder: Recorder) -> set[str]:
    """Return the names of all images, such as `front` for `dyber-front:0123`."""
    references = [inputs["name"] for inputs in recorder.inputs("RemoteImage").values()]
    references += [inputs["image"] for inputs in recorder.inputs("Container").values()]
    return {match[1] for name in references if (match := re.match(r"dyber-([a-z0-9-]+):", name))} | {"base"}


def aliases(recorder: Recorder) -> set[str]:
    """Return the network aliases of all containers that are not of services."""
    networks = [
        item for inputs in recorder.inputs("Container").values() for item in inputs.get("networksAdvanced") or []
    ]
    names = {alias for item in networks for alias in item.get("aliases") or []}
    return {alias for alias in names if not re.fullmatch(r"[a-z]+-mcp(-[0-9]+)?", alias)}


def logical_names(recorder: Recorder) -> set[str]:
    """Return the logical names of the top-level resources in Pulumi's state that are not services."""
    top = ("dyber:image:BuiltImage", "dyber:gateway:Gateway", "dyber:cache:Cache", "dyber:monitoring:Monitoring")
    others = ("dyber:gateway:Front", "pulumi:providers:", "RandomId")
    return {
        item.name
        for item in recorder.resources
        if item.typ in top or (item.typ.startswith(others) or item.typ.endswith(others))
        if not item.name.endswith("-revision")
    }


@pytest.mark.parametrize("names", [labels, images, aliases, logical_names])
def test_every_name_that_the_program_uses_is_refused_to_services(names: Any, declared: list[Recorder]) -> None:
    used = {name for recorder in declared for name in names(recorder) if not of_a_service(name)}
    assert used
    refused = {name for name in used if reserved_names.problem(name) or reserved_names.problem_beside(name, SERVICES)}
    assert used - refused == set()


def test_names_of_the_parts_of_a_service_are_refused(declared: list[Recorder]) -> None:
    parts = {name for recorder in declared for name in labels(recorder) if name.startswith("template-")}
    assert {"template-direct", "template-secrets"} <= parts
    services = {*SERVICES, "weibo"}
    assert {name for name in parts if reserved_names.problem_beside(name, services) is None} == set()
    assert reserved_names.problem_beside("template-contract", services)
    assert {name for name in parts if reserved_names.problem_of_a_new_service(name) is None} == set()


def test_words_of_the_command_line_and_profiles_are_refused_to_services() -> None:
    words = {GATEWAY, ALL, "full", "default", *FEATURES.values(), *BUILT_IN_PROFILES}
    assert {word for word in words if reserved_names.problem(word) is None} == set()
    assert set(reserved_names.PROFILE_WORDS).isdisjoint(FULL)


def test_no_service_can_have_a_name_whose_keys_in_env_have_another_meaning() -> None:
    general = env_file.keys({})
    services = {key.removesuffix(suffix).lower() for key in general for suffix in ("_ENABLED", "_MCP_TOKEN")
                if key.endswith(suffix)}  # fmt: skip
    assert {name.replace("_", "-") for name in services} <= reserved_names.RESERVED


def test_no_service_runs_as_the_user_of_a_part(declared: list[Recorder]) -> None:
    parts = {
        int(inputs["user"].split(":")[0])
        for recorder in declared
        for name, inputs in recorder.inputs("Container").items()
        if not name.startswith(SERVICES) or name.endswith("-nginx")
    }
    assert parts
    assert parts.isdisjoint(BASE_UID + port for port in SERVICE_PORTS)


def test_the_gateways_ports_are_refused_to_services() -> None:
    for port in GATEWAY_PORTS:
        with pytest.raises(ValueError, match=str(port)):
            GatewayService("weibo", port, "weibo", max_call_seconds=60)


@pytest.mark.parametrize("name", ["front", "gateway", "base", "engine", "cache", "kit"])
def test_a_folder_with_a_reserved_name_is_refused_by_catalogue_and_gateway_alike(name: str, tmp_path: Path) -> None:
    add_service(tmp_path, name, "title: x\nport: 8003\npackage: a_server\n")
    with pytest.raises(ConfigurationError, match=f"mcp-servers/{name}/service.yaml: .*{name}"):
        load_catalog(tmp_path)
    with pytest.raises(ValueError, match=name):
        GatewayService(name, 8003, "x", max_call_seconds=60)


def test_a_service_cannot_have_another_services_second_name(tmp_path: Path) -> None:
    add_service(tmp_path, "weibo", "title: x\nport: 8003\npackage: a_server\n")
    add_service(tmp_path, "weibo-mcp", "title: x\nport: 8004\npackage: a_server\n")
    with pytest.raises(ConfigurationError, match="weibo-mcp is another name of the service weibo"):
        load_catalog(tmp_path)


@pytest.mark.parametrize("word", reserved_names.PROFILE_WORDS)
def test_a_profile_is_not_called_like_a_word_of_the_command_line(word: str, tmp_path: Path) -> None:
    add_service(tmp_path, "weibo", f"title: x\nport: 8003\npackage: a_server\nprofile: {word}\n")
    with pytest.raises(ConfigurationError, match="profile"):
        load_catalog(tmp_path)


@pytest.mark.parametrize("name", ["notes-secrets", "weibo-direct", "build", "catalog", "test", "con", "com1"])
def test_a_name_without_a_collision_still_works_but_is_refused_for_a_new_service(name: str, tmp_path: Path) -> None:
    add_service(tmp_path, name, "title: x\nport: 8003\npackage: a_server\n")
    assert list(load_catalog(tmp_path)) == [name]
    assert GatewayService(name, 8003, "x", max_call_seconds=60).name == name
    assert reserved_names.problem_of_a_new_service(name)


@pytest.mark.parametrize("ending", reserved_names.ENDINGS)
def test_a_service_named_like_a_part_of_another_is_refused_with_the_next_step(ending: str, tmp_path: Path) -> None:
    add_service(tmp_path, "notes", "title: x\nport: 8003\npackage: a_server\n")
    add_service(tmp_path, f"notes-{ending}", "title: x\nport: 8004\npackage: a_server\n")
    with pytest.raises(ConfigurationError) as refused:
        load_catalog(tmp_path)
    assert f"mcp-servers/notes-{ending}/service.yaml: " in str(refused.value)
    assert f"dyber-<stack>-notes-{ending}-data" in str(refused.value)
    assert "docs/recovery.en.md" in str(refused.value)
