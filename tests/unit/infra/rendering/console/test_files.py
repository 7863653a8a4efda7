"""The console reads the files that the program renders for it."""

from __future__ import annotations

import json
from pathlib import Path

from dyber_console.intake.files import read_deployment

from infra.rendering.console.files import NOW, console_files
from infra.services.catalog import load_catalog
from infra.settings.stack import StackSettings

SERVERS = Path(__file__).resolve().parents[5] / "mcp-servers"


def test_the_console_reads_what_is_written() -> None:
    settings = StackSettings(
        stack="prod",
        gateway={"public_url": "https://pet.example"},
        clients={"phone": {"services": {"template": ["template_echo"]}}},
        tokens={"phone": {"generation": 3, "previous": True}},
    )
    spec = load_catalog(SERVERS)["template"]
    files = console_files(settings, [spec], {"template": "registry.example/template@sha256:ab"})
    text = files["deployment.json"].replace(NOW, "2026-11-30T00:00:00Z")
    read = read_deployment(text)
    assert (read.stack, read.addresses[0], read.deployed_at) == ("prod", "https://pet.example", 1_795_996_800.0)
    assert read.services["template"].digest == "sha256:ab"
    client = read.clients["phone"]
    assert (client.services, client.generation, client.old_token_works) == ({"template": ("template_echo",)}, 3, True)
    assert files["contracts/template.json"] == (SERVERS / "template" / "tools.lock.json").read_text(encoding="utf-8")
    assert client.snippets["cursor"].file == ".cursor/mcp.json"
    assert json.loads(client.snippets["cursor"].text)["mcpServers"].keys() == {"dyber"}
    assert "https://pet.example/mcp" in client.snippets["cursor"].text


def test_without_a_hub_a_client_gets_the_services_that_it_may_call() -> None:
    clients = {"phone": {"services": {"template": "all"}}, "pet": {}}
    settings = StackSettings.model_validate({"stack": "prod", "clients": clients, "hub": {"enabled": False}})
    catalog = load_catalog(SERVERS)
    images = {name: f"{name}@sha256:ab" for name in ("template", "github")}
    files = console_files(settings, [catalog[name] for name in images], images)
    written = json.loads(files["deployment.json"])["clients"]
    servers = {name: json.loads(entry["snippets"]["cursor"]["text"])["mcpServers"] for name, entry in written.items()}
    assert servers["phone"].keys() == {"template"}
    assert servers["pet"].keys() == {"template", "github"}
