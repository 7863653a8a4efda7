"""Serves static files by their hash, and vendored ones as they were published."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.resources import files

from dyber_console.pages.parts.assets import Assets

from cli.system.checkout import ROOT

STATIC = files("dyber_console.pages").joinpath("static")
TEMPLATES = sorted((ROOT / "console/dyber_console/pages/templates").rglob("*.html"))


def test_vendored_files_have_their_recorded_hashes() -> None:
    vendored = json.loads(STATIC.joinpath("vendor", "vendor.json").read_text(encoding="utf-8"))
    recorded = {name: about["sha256"] for package in vendored.values() for name, about in package["files"].items()}
    scripts = [file for file in STATIC.joinpath("vendor").iterdir() if file.name.endswith((".js", ".css"))]
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in scripts} == recorded


def test_a_file_is_served_under_the_address_of_its_content_and_kept_for_ever() -> None:
    assets = Assets()
    response = assets.response(assets.url("style.css"))
    assert response.status_code == 200
    assert "immutable" in response.headers["cache-control"]
    assert assets.response("/console/static/style-0000000000000000.css").status_code == 404


def test_every_stylesheet_is_served() -> None:
    from dyber_console.pages.parts.assets import STYLES

    assert sorted(file.name for file in STATIC.joinpath("styles").iterdir()) == sorted(f"{name}.css" for name in STYLES)


def test_no_template_has_inline_scripts_handlers_or_styles() -> None:
    forbidden = re.compile(
        r"<script(?![^>]*\bsrc=)|\son[a-z]+=|\sstyle=|javascript:|\shx-on|\|\s*safe\b", re.IGNORECASE
    )
    found = {file.name: forbidden.findall(file.read_text(encoding="utf-8")) for file in TEMPLATES}
    assert {name: hits for name, hits in found.items() if hits} == {}


def test_every_icon_of_the_templates_exists() -> None:
    known = set(re.findall(r'<symbol id="([^"]+)"', files("dyber_console.pages").joinpath("icons.svg").read_text()))
    text = "".join(file.read_text(encoding="utf-8") for file in TEMPLATES)
    named = set(re.findall(r'icon\("([a-z]+)"', text)) | set(re.findall(r'empty\("([a-z]+)"', text))
    states = set(re.findall(r'state_icon\("([a-z]+)"', text)) | set(re.findall(r' state\("([a-z]+)"', text))
    named -= set(re.findall(r'state_icon\("([a-z]+)"', text))
    assert {f"i-{name}" for name in named} | {f"s-{name}" for name in states} <= known
