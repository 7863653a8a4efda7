"""The console may read, and log services in."""

from __future__ import annotations

from pathlib import Path

from infra.rendering.console.scope import console_client
from infra.services.catalog import ServiceSpec


def spec(tools: dict[str, bool]) -> ServiceSpec:
    return ServiceSpec(
        name="notes", folder=Path("notes"), title="Notes", port=8050, package="notes_server", tools=tools
    )


def test_it_may_use_reading_tools_only() -> None:
    client = console_client([spec({"notes_search": True, "notes_publish": False})], "0" * 64)
    assert (client.name, client.scopes) == ("console", {"notes": "read"})


def test_it_may_use_the_login_where_that_counts_as_writing() -> None:
    tools = {"notes_search": True, "notes_publish": False, "notes_login_qrcode": False, "notes_login_status": True}
    client = console_client([spec(tools)], "0" * 64)
    assert client.scopes is not None
    assert set(client.scopes["notes"]) == {"notes_search", "notes_login_status", "notes_login_qrcode"}


def test_of_a_service_whose_tools_are_unknown_it_may_use_what_only_reads() -> None:
    assert console_client([spec({})], "0" * 64).scopes == {"notes": "read"}
