"""The settings of the hub and of groups are strict, and errors name the key."""

from __future__ import annotations

from typing import Any

import pytest

from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec
from tests.unit.infra.settings.test_settings import DIGEST, catalog, refusal, settings

GROUP: dict[str, Any] = {"title": "宠物", "services": ["template"]}


def test_a_stack_has_a_small_hub_without_search_unless_it_says_otherwise() -> None:
    hub = settings().hub
    assert (hub.enabled, hub.replicas, hub.search, hub.memory_mib) == (True, 1, False, 160)


def test_services_of_a_group_may_be_a_list_or_have_scopes() -> None:
    stack = settings(groups={"a": GROUP, "b": {"title": "b", "services": {"template": "read", "xiaohongshu": ["x"]}}})
    assert stack.groups["a"].services == {"template": "all"}
    assert stack.groups["b"].services == {"template": "read", "xiaohongshu": ("x",)}


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ({"services": ["template"]}, "groups.pet.title: this key is missing"),
        ({"title": "宠物"}, "groups.pet.services: this key is missing"),
        ({**GROUP, "services": []}, "groups.pet.services"),
        ({**GROUP, "services": ["template", "template"]}, "listed twice: template"),
        ({**GROUP, "services": {"template": "write"}}, "groups.pet.services.template"),
        ({**GROUP, "tools": {"template_echo": {"name": "has space"}}}, "groups.pet.tools.template_echo.name"),
        ({**GROUP, "tools": {"template_echo": {"rename": "x"}}}, "groups.pet.tools.template_echo.rename: no such key"),
        (
            {**GROUP, "tools": {"template_echo": {"annotations": {"readOnly": True}}}},
            "groups.pet.tools.template_echo.annotations.readOnly",
        ),
        ({**GROUP, "instructions": "x" * 2049}, "must have at most 2048 characters"),
    ],
)
def test_a_group_that_cannot_be_read_is_refused(group: dict[str, Any], expected: str) -> None:
    assert expected in refusal(groups={"pet": group})


@pytest.mark.parametrize("name", ["Pet", "桌宠", "a/b", "-a", "a" * 33, "a\n"])
def test_a_name_of_a_group_that_no_address_can_have_is_refused_in_words(name: str) -> None:
    assert f"groups.{name}: a group's name has only" in refusal(groups={name: GROUP})


def test_no_group_has_the_name_of_the_search_among_clients() -> None:
    assert "groups.search: no group can be called search: client programs would show" in refusal(
        groups={"search": GROUP}
    )


@pytest.mark.parametrize(
    "scope", ["write", [], "template_echo", 5, None, {"template_echo": True}, ["template_echo", 5]]
)
@pytest.mark.parametrize("key", ["groups", "clients"])
def test_a_scope_of_no_form_is_a_single_problem(key: str, scope: Any) -> None:
    entry = {"services": {"template": scope}, **({"title": "宠物"} if key == "groups" else {})}
    text = refusal(**{key: {"pet": entry}})
    assert text.startswith(f"Pulumi.dev.yaml: {key}.pet.services.template")
    assert text.endswith(": must be all, read or a list of tools such as [template_echo]")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"groups": {"pet": {**GROUP, "tools": {"a": {"name": "搜索"}}}}},
            ".tools.a.name = '搜索': a tool's name in a",
        ),
        ({"groups": {"pet": {**GROUP, "services": ["Notes"]}}}, "groups.pet.services.Notes: a service's name has"),
        (
            {"groups": {"pet": {**GROUP, "services": {"notes": ["搜 索"]}}}},
            "services.notes = ['搜 索']: a tool's name has",
        ),
        ({"clients": {"Pet": {}}}, "clients.Pet: a client's name has only"),
        ({"clients": {"pet": {"accounts": {"notes": ["Main"]}}}}, "accounts.notes.0 = 'Main': an account's name"),
        (
            {"gateway": {"oauth": {"issuers": {"Login": {"url": "https://a.example", "otherUsers": "desktop-pet"}}}}},
            "gateway.oauth.issuers.Login: the short name of an identity provider has only",
        ),
    ],
)
def test_the_form_of_a_name_is_told_in_words(values: dict[str, Any], expected: str) -> None:
    text = refusal(**values)
    assert expected in text
    assert "[key]" not in text
    assert "^" not in text


def test_what_needs_the_hub_is_refused_without_it_all_at_once_with_the_line_to_write() -> None:
    oauth = {"issuers": {"login": {"url": "https://login.example.com", "otherUsers": "desktop-pet"}}}
    stack = settings(hub={"enabled": False, "search": True}, groups={"pet": GROUP}, gateway={"oauth": oauth})
    with pytest.raises(ConfigurationError) as refused:
        stack.select(catalog())
    problems = refused.value.problems
    assert [problem.path for problem in problems] == [("groups",), ("gateway", "oauth"), ("hub", "search")]
    assert {problem.message for problem in problems} == {"hub_is_off"}
    assert {problem.instead for problem in problems} == {("dyber:hub:", "  enabled: true")}


def pinned(**values: Any) -> tuple[dict[str, Any], dict[str, ServiceSpec]]:
    services = {name: {"image": DIGEST} for name in ("template", "xiaohongshu")}
    parts = {"gatewayImage": DIGEST, "frontImage": DIGEST}
    return {"images": "pinned", "services": services, **parts, **values}, catalog()


def test_a_pinned_stack_without_images_is_told_how_to_promote_them() -> None:
    values, known = pinned(services={"template": {"image": DIGEST}}, gatewayImage=None)
    with pytest.raises(ConfigurationError) as refused:
        settings(**values, stack="test").select(known)
    texts = {problem.path: problem.text() for problem in refused.value.problems}
    assert set(texts) == {("services", "xiaohongshu", "image"), ("gatewayImage",), ("hubImage",)}
    assert all("./deploy.sh promote dev test" in text for text in texts.values())
    hub = texts[("hubImage",)]
    assert hub.index("promote dev test") < hub.index("config set hub.enabled false -s test")


@pytest.mark.parametrize("way_out", [{"hub": {"enabled": False}}, {"hubImage": DIGEST}])
def test_a_pinned_stack_has_the_hubs_image_or_no_hub(way_out: dict[str, Any]) -> None:
    values, known = pinned(**way_out, console={"enabled": False})
    assert settings(**values).select(known)
