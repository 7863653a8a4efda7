"""The console reads the files that the program renders for it."""

from __future__ import annotations

from pathlib import Path

from dyber_console.intake.files import read_deployment

from infra.rendering.console.files import NOW, console_files
from infra.services.catalog import load_catalog
from infra.settings.stack import StackSettings

SERVERS = Path(__file__).resolve().parents[5] / "mcp-servers"


def test_the_console_reads_what_is_written() -> None:
    settings = StackSettings(
        stack="prod",
        clients={"phone": {"services": {"template": ["template_echo"]}}},
        tokens={"phone": {"generation": 3, "previous": True}},
    )
    spec = load_catalog(SERVERS)["template"]
    files = console_files(
        settings, [spec], {"template": "registry.example/template@sha256:ab"}, ["https://pet.example"]
    )
    text = files["deployment.json"].replace(NOW, "2026-11-30T00:00:00Z")
    read = read_deployment(text)
    assert (read.stack, read.addresses, read.deployed_at) == ("prod", ("https://pet.example",), 1_795_996_800.0)
    assert read.services["template"].digest == "sha256:ab"
    client = read.clients["phone"]
    assert (client.services, client.generation, client.old_token_works) == ({"template": ("template_echo",)}, 3, True)
    assert files["contracts/template.json"] == (SERVERS / "template" / "tools.lock.json").read_text(encoding="utf-8")
