"""Each rule accepts what the program declares, and stops what breaks it."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from messages import in_language
from policy.rules import (
    CONTAINER,
    RANDOM_BYTES,
    RANDOM_PASSWORD,
    RULES,
    UNKNOWN,
    VOLUME,
    Resource,
    Stack,
    known,
    violations,
)

HAN = re.compile("[\u4e00-\u9fff]")
DEV, TEST, PROD = Stack("dev"), Stack("test"), Stack("prod", strict=True, data_retention="keep")
SERVER: dict[str, Any] = {
    "image": "registry.example.com/dyber/template@sha256:" + "a" * 64,
    "user": "28002:28002",
    "capabilities": {"drops": ["ALL"]},
    "securityOpts": ["no-new-privileges:true"],
    "memory": 256.0,
    "memorySwap": 256.0,
    "cpus": "0.5",
    "ulimits": [{"name": "nofile", "soft": 1, "hard": 1}, {"name": "nproc", "soft": 1, "hard": 1}],
    "logOpts": {"max-size": "10m"},
    "healthcheck": {"tests": ["CMD", "/opt/dyber/healthcheck"]},
    "readOnly": True,
    "mounts": [{"type": "volume", "source": "dyber-prod-x-data", "target": "/data"}],
    "mustRun": True,
}
LOADER = {**SERVER, "mustRun": False, "readOnly": False, "healthcheck": None, "uploads": [{"file": "/staging/x"}]}
PORT = {"internal": 80, "external": 80, "ip": "0.0.0.0"}
IN_SERVICE = "dyber:service:McpService$" + CONTAINER
IN_FRONT = "dyber:gateway:Gateway$dyber:gateway:Front$" + CONTAINER


def container(within: str = IN_SERVICE, base: dict[str, Any] = SERVER, **changes: Any) -> Resource:
    return Resource(CONTAINER, f"urn:pulumi:prod::dyber::{within}::template-server", {**copy.deepcopy(base), **changes})


def broken(resource: Resource, stack: Stack = PROD) -> set[str]:
    return {rule for rule, _ in violations(resource, stack)}


@pytest.mark.parametrize("stack", [DEV, TEST, PROD], ids=lambda stack: stack.name)
@pytest.mark.parametrize("base", [SERVER, LOADER], ids=["server", "loader"])
def test_what_the_program_declares_keeps_every_rule(base: dict[str, Any], stack: Stack) -> None:
    assert broken(container(base=base), stack) == set()


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("pinned-image", {"image": "dyber-template:0123456789abcdef"}),
        ("no-open-port", {"ports": [PORT]}),
        ("no-open-port", {"ports": [{"internal": 80, "external": 80}]}),
        ("not-privileged", {"privileged": True}),
        ("not-privileged", {"networkMode": "host"}),
        ("not-privileged", {"pidMode": "host"}),
        ("not-privileged", {"devices": [{"hostPath": "/dev/kvm"}]}),
        ("no-engine-socket", {"mounts": [{"type": "bind", "source": "/var/run/docker.sock", "target": "/x"}]}),
        ("no-engine-socket", {"volumes": [{"hostPath": "/run/docker.sock", "containerPath": "/x"}]}),
        ("no-engine-socket", {"volumes": [{"hostPath": "/", "containerPath": "/host"}]}),
        ("limited", {"memory": None}),
        ("limited", {"memorySwap": -1}),
        ("limited", {"cpus": None}),
        ("limited", {"ulimits": []}),
        ("limited", {"logOpts": {}}),
        ("healthcheck", {"healthcheck": None}),
        ("read-only-root", {"readOnly": None}),
        ("not-root", {"user": None}),
        ("not-root", {"user": "root"}),
        ("not-root", {"user": "0:0"}),
        ("not-root", {"user": "28002:0"}),
        ("no-capability", {"capabilities": None}),
        ("no-capability", {"capabilities": {"drops": ["ALL"], "adds": ["CAP_NET_ADMIN"]}}),
        ("no-capability", {"securityOpts": None}),
        ("no-capability", {"securityOpts": ["no-new-privileges:true", "seccomp=unconfined"]}),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_container_that_breaks_one_rule_is_stopped_by_that_rule(rule: str, changes: dict[str, Any]) -> None:
    assert broken(container(**changes)) == {rule}


def test_a_one_shot_that_gets_no_files_needs_a_read_only_root_too() -> None:
    assert broken(container(base=LOADER, uploads=None)) == {"read-only-root"}


def test_a_container_that_keeps_running_needs_a_read_only_root_even_with_uploads() -> None:
    assert broken(container(readOnly=False, uploads=[{"file": "/x"}])) == {"read-only-root"}


def test_a_front_may_be_open_except_in_dev() -> None:
    front = container(within=IN_FRONT, ports=[PORT])
    assert broken(front, PROD) == broken(front, TEST) == set()
    assert broken(front, DEV) == {"no-open-port"}


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1", UNKNOWN])
def test_a_port_on_loopback_may_be_published_by_others_too(address: str) -> None:
    assert broken(container(ports=[{**PORT, "ip": address}]), DEV) == set()


def test_a_tag_is_fine_outside_of_production() -> None:
    assert broken(container(image="dyber-template:0123456789abcdef"), TEST) == set()


@pytest.mark.parametrize("key", sorted(SERVER))
def test_what_is_not_known_yet_is_not_judged(key: str) -> None:
    assert broken(container(**{key: UNKNOWN})) == set()


@pytest.mark.parametrize(
    ("kind", "length", "is_broken"),
    [(RANDOM_BYTES, 32, False), (RANDOM_BYTES, 31, True), (RANDOM_PASSWORD, 24, False), (RANDOM_PASSWORD, 8.0, True)],
)
def test_a_short_token_is_stopped(kind: str, length: float, is_broken: bool) -> None:
    resource = Resource(kind, f"urn:pulumi:prod::dyber::{kind}::desktop-pet-token", {"length": length})
    assert broken(resource) == ({"long-token"} if is_broken else set())


@pytest.mark.parametrize(
    ("name", "retention", "protect", "stack", "is_broken"),
    [
        ("x-data", "delete", False, "prod", True),
        ("x-data", "keep", False, "prod", False),
        ("x-data", "delete", True, "prod", False),
        ("gateway-configuration", "delete", False, "prod", False),
        ("x-data", "delete", False, "test", False),
    ],
)
def test_data_of_production_is_kept(name: str, retention: str, protect: bool, stack: str, is_broken: bool) -> None:
    volume = Resource(VOLUME, f"urn:pulumi:{stack}::dyber::{VOLUME}::{name}", {}, protect)
    assert broken(volume, Stack(stack, stack == "prod", retention)) == ({"kept-data"} if is_broken else set())


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("prod", "config:\n  dyber:dataRetention: keep\n", PROD),
        ("dev", None, DEV),
        ("test", "config: {}\n", TEST),
        ("shanghai", "config:\n  dyber:policy: mandatory\n", Stack("shanghai", strict=True)),
        ("prod", "config:\n  dyber:policy: advisory\n", Stack("prod")),
    ],
)
def test_the_stacks_file_says_how_strict_it_is(tmp_path: Path, name: str, text: str | None, expected: Stack) -> None:
    if text:
        (tmp_path / f"Pulumi.{name}.yaml").write_text(text)
    assert Stack.of(f"urn:pulumi:{name}::dyber::{CONTAINER}::x", tmp_path) == expected


def test_every_rule_says_in_both_languages_what_it_is_for() -> None:
    for rule in RULES.values():
        assert HAN.search(in_language("zh", rule.description)) and not HAN.search(rule.description)


@pytest.mark.parametrize(
    ("language", "expected"),
    [("zh", "没有内存上限：设置 memory"), ("en", "there is no memory limit: set memory")],
)
def test_a_violation_is_told_in_the_users_language(
    language: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYBER_LANG", language)
    assert violations(container(memory=None), PROD) == [("limited", expected)]


def test_values_that_raise_become_unknown_and_the_rest_plain() -> None:
    class Later(dict):
        def __getitem__(self, key: str) -> Any:
            if key == "later":
                raise LookupError
            return super().__getitem__(key)

    assert known({"a": (1, Later(later=1, now="x"))}, LookupError) == {"a": [1, {"later": UNKNOWN, "now": "x"}]}
