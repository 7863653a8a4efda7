"""What a service offers is what its contract says, without what the stack's settings hide."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.services.catalog import ServiceSpec, load_spec
from infra.services.offers import offers_of, owner
from tests.support.services_on_disk import READS, WRITES, hashed, tool, write_service

ALL_TOOLS = "environment: {DYBER_READ_ONLY: 'false'}\n"


def spec_in(folder: Path) -> ServiceSpec:
    return load_spec(folder / "service.yaml")


def test_tools_come_in_the_order_of_the_lock_file(tmp_path: Path) -> None:
    folder = write_service(tmp_path, "notes", 8003, {"notes_b": tool(), "notes_a": tool()})
    assert list(offers_of(spec_in(folder)).tools) == ["notes_b", "notes_a"]


def test_tools_that_write_are_left_out_of_a_read_only_service(tmp_path: Path) -> None:
    tools = {"notes_get": tool(), "notes_put": tool(WRITES)}
    hiding = write_service(tmp_path, "notes", 8003, tools)
    showing = write_service(tmp_path, "more", 8004, tools, ALL_TOOLS)
    assert list(offers_of(spec_in(hiding)).tools) == ["notes_get"]
    offers = offers_of(spec_in(showing))
    assert (list(offers.tools), offers.reading) == (["notes_get", "notes_put"], {"notes_get"})


def test_without_a_lock_file_nothing_is_known(tmp_path: Path) -> None:
    offers = offers_of(spec_in(write_service(tmp_path, "notes", 8003, None)))
    assert (offers.known, offers.tools, offers.prompts) == (False, {}, [])


def test_of_a_contract_from_elsewhere_only_the_names_are_known(tmp_path: Path) -> None:
    spec = spec_in(write_service(tmp_path, "notes", 8003, {"notes_get": tool()}, prompts=hashed({"notes_p": {}})))
    promoted = spec.model_copy(update={"tools": {"notes_old": True}, "contract_sha256": "0" * 64})
    offers = offers_of(promoted)
    assert (offers.known, dict(offers.tools), offers.prompts) == (False, {"notes_old": {}}, [])


def test_prompts_and_resources_are_listed_as_mcp_lists_them(tmp_path: Path) -> None:
    others = {
        "instructions": "Read first.",
        "prompts": hashed({"notes_sum": {"title": "总结"}}),
        "resources": hashed({"notes://all": {"name": "all"}}),
        "resource_templates": hashed({"notes://{id}": {"name": "note"}}),
        "completions": [{"type": "prompt", "of": "notes_sum", "argument": "topic"}],
    }
    offers = offers_of(spec_in(write_service(tmp_path, "notes", 8003, {"notes_get": tool(READS)}, **others)))
    assert offers.prompts == [{"name": "notes_sum", "title": "总结"}]
    assert offers.resources == [{"uri": "notes://all", "name": "all"}]
    assert offers.resource_templates == [{"uriTemplate": "notes://{id}", "name": "note"}]
    assert offers.completions == others["completions"]
    assert offers.instructions == "Read first."
    assert list(offers.resource_owners()) == ["notes://"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("notes://all", "notes://"),
        ("Notes://all/{id}", "notes://"),
        ("ui://Template/page.html", "ui://template"),
        ("https://example.com/{path}", "https://example.com"),
        ("urn:isbn:1", "urn://"),
    ],
)
def test_resources_belong_to_a_scheme_or_to_the_host_of_a_shared_scheme(address: str, expected: str) -> None:
    assert owner(address) == expected
