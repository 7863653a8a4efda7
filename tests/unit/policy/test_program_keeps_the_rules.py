"""The whole program with every profile keeps every rule, as far as Pulumi's mocks show."""

from __future__ import annotations

import pytest

from policy.rules import RULES, Resource, Stack, violations
from tests.unit.infra.test_program import declare

#: In this test images are built, so the rule pinned-image does not apply.
STRICT = Stack("prod", strict=True, data_retention="keep")


@pytest.mark.parametrize("stack", [Stack("dev"), STRICT], ids=["dev", "prod"])
def test_whatever_the_program_declares_keeps_every_rule(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
    secret = {"template": {"secrets": {"API_KEY": "correct-horse"}}}
    declared = declare(
        monkeypatch,
        {"secrets": {"API_KEY": "required"}},
        ["services"],
        profiles=["dev", "cache", "monitoring"],
        services=secret,
    ).resources
    # The mocks do not show parents, so no resource is in a front here. That is no problem: no port is open in dev.
    resources = [Resource(item.typ, f"urn:pulumi:x::dyber::{item.typ}::{item.name}", item.inputs) for item in declared]
    assert {kind for rule in RULES.values() for kind in rule.types} & {resource.type for resource in resources}
    broken = {(resource.name, rule, text) for resource in resources for rule, text in violations(resource, stack)}
    assert {item for item in broken if item[1] != "pinned-image"} == set()
