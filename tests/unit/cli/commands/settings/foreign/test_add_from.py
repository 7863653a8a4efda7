"""`add-service --from` adds a whole service or nothing, and shows no secret anywhere."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.commands.settings.foreign_dialogue import Reviewer
from cli.system.errors import StackError
from infra.services.catalog import load_catalog
from infra.services.scan import Finding, Level
from tests.support.foreign_registry import tool
from tests.unit.cli.commands.settings.foreign.conftest import POISON, SECRET, Dyber, Repository
from tests.unit.cli.commands.settings.test_add_service import Terminal


def test_a_package_becomes_a_service_and_the_next_steps_are_told(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dyber("add-service", "--from", "npm:@example/weather", "--yes") == 0
    spec = load_catalog(repository.servers)["weather"]
    assert spec.source and spec.source.npm == "@example/weather@1.1.0"
    assert (spec.port, spec.internet, spec.profile) == (8003, False, None)
    output = capsys.readouterr().out
    assert "forecast" in output and "internet: true" in output and "./deploy.sh" in output


def test_options_say_everything_that_is_asked_otherwise(dyber: Dyber, repository: Repository) -> None:
    assert (
        dyber(
            *(
                "add-service",
                "wetter",
                "--from",
                "npm:@example/weather@1.0.0",
                "--yes",
                "--port",
                "8100",
                "--title",
                "天气",
            ),
            *("--argument", "/data", "--set", "CITY=Wuhan", "--secret", "API_KEY", "--read", "*"),
        )
        == 0
    )
    spec = load_catalog(repository.servers)["wetter"]
    assert spec.source
    assert (spec.port, spec.title, spec.data, spec.internet) == (8100, "天气", True, True)
    assert (spec.environment, spec.secrets) == ({"CITY": "Wuhan"}, {"API_KEY": "required"})
    assert (spec.source.arguments, spec.source.tools) == (("${data}",), {"forecast": "read"})


def test_the_wizard_takes_a_source_in_place_of_a_kind(dyber: Dyber, repository: Repository) -> None:
    assert dyber("add-service", answers="wetter\n8100\nnpm:@example/weather\ny\nforecast\n") == 0
    spec = load_catalog(repository.servers)["wetter"]
    assert spec.source and spec.source.tools == {"forecast": "read"}
    assert (spec.port, spec.internet) == (8100, True)


def test_the_same_server_again_changes_nothing_and_another_version_needs_an_update(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    dyber("add-service", "--from", "npm:@example/weather@1.0.0", "--yes")
    before = repository.texts()
    assert dyber("add-service", "--from", "npm:@example/weather", "--yes") == 0
    assert "No changes" in capsys.readouterr().out
    with pytest.raises(StackError) as refused:
        dyber("add-service", "--from", "npm:@example/weather@1.1.0", "--yes")
    assert "update-service weather --to 1.1.0" in refused.value.next_step
    assert repository.texts() == before


def test_a_placeholder_is_named_with_the_reason_why_it_is_not_taken(dyber: Dyber, repository: Repository) -> None:
    with pytest.raises(typer.BadParameter) as missing:
        dyber("add-service", "--from", "docker run -e DB_HOST=YOUR_HOST x/y:1", "--yes")
    assert "--set DB_HOST=…" in missing.value.format_message()
    assert "'YOUR_HOST' is written there, which looks like a placeholder" in missing.value.format_message()


def test_another_server_with_the_name_of_a_service_is_refused(dyber: Dyber, repository: Repository) -> None:
    dyber("add-service", "--from", "npm:@example/weather", "--yes")
    with pytest.raises(typer.TyperException, match="already exists"):
        dyber("add-service", "weather", "--from", "npm:sky", "--yes")


@pytest.mark.parametrize(
    "source", ["npm:github:o/r", "url:http://mcp.example.com/mcp", "docker run --privileged x", "x"]
)
def test_a_source_that_cannot_be_added_is_refused_before_anything_is_done(
    dyber: Dyber, repository: Repository, source: str
) -> None:
    with pytest.raises(StackError) as refused:
        dyber("add-service", "--from", source, "--yes")
    assert refused.value.next_step
    assert (repository.names, repository.registry.asked) == ([], [])


def test_a_secret_on_the_command_line_is_refused_without_showing_it(dyber: Dyber, repository: Repository) -> None:
    with pytest.raises(typer.BadParameter) as refused:
        dyber("add-service", "--from", "npm:@example/weather", "--set", f"API_KEY={SECRET}", "--yes")
    assert "--secret API_KEY" in refused.value.message and SECRET not in refused.value.message
    with pytest.raises(StackError) as hidden:
        dyber("add-service", "--from", "npm:@example/weather", "--argument", f"--token={SECRET}", "--yes")
    assert SECRET not in str(hidden.value)


def test_a_missing_value_is_asked_for_and_with_yes_its_option_is_named(dyber: Dyber, repository: Repository) -> None:
    with pytest.raises(typer.BadParameter, match="--set package=…|--set CITY=…"):
        dyber("add-service", "--from", "npx -y @example/weather ${env:CITY}", "--yes")
    assert dyber("add-service", "--from", "npx -y @example/weather ${env:CITY}", answers="Wuhan\nn\n\n") == 0
    spec = load_catalog(repository.servers)["weather"]
    assert spec.source and spec.source.arguments == ("Wuhan",)


def test_a_poisoned_server_is_not_added_unless_a_person_gives_a_reason(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.registry.tools = {"@example/weather@1.1.0": {"forecast": tool(POISON)}}
    command = ("add-service", "--from", "npm:@example/weather", "--no-internet")
    assert dyber(*command, "--yes") == 1
    assert "T01" in capsys.readouterr().out
    assert dyber(*command, answers="\n") == 1
    assert repository.names == []
    assert dyber(*command, "--yes", "--accept", "T01=read by two people") == 0
    spec = load_catalog(repository.servers)["weather"]
    assert spec.source and [(item.code, item.reason) for item in spec.source.accepted] == [
        ("T01", "read by two people")
    ]


@pytest.mark.parametrize(
    ("accepted", "words"),
    [
        ("T01=看过", "a reason has 5 to 500 characters"),
        ("T01=", "a reason has 5 to 500"),
        ("Z99=not a finding", "no finding Z99; known: T01"),
    ],
)
def test_an_acceptance_that_cannot_count_is_refused_with_its_reason(
    dyber: Dyber, repository: Repository, accepted: str, words: str
) -> None:
    with pytest.raises(typer.BadParameter, match=words):
        dyber("add-service", "--from", "npm:@example/weather", "--yes", "--accept", accepted)
    assert repository.registry.asked == []


def test_without_anybody_to_ask_nothing_is_answered_by_itself(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dyber("add-service", "--from", "npm:@example/weather") == 1
    assert "--yes" in capsys.readouterr().err
    assert dyber("add-service", "--from", "npm:@example/weather", "--no-internet") == 1
    assert "--yes" in capsys.readouterr().err
    assert repository.names == []


def test_the_program_that_is_advised_can_be_given_as_it_is_printed(dyber: Dyber, repository: Repository) -> None:
    repository.registry.programs = {"stars-mcp": ("-m stars", "-m moon")}
    with pytest.raises(StackError) as refused:
        dyber("add-service", "--from", "pypi:stars-mcp", "--yes")
    advice = shlex.split(refused.value.next_step)
    option = advice[advice.index("as") + 1 :]
    assert option == ["--bin", "-m stars"]
    assert dyber("add-service", "--from", "pypi:stars-mcp", "--yes", *option) == 0


def findings(*codes: str) -> list[Finding]:
    return [Finding(code, Level.BLOCK, "forecast", ("description",), "words", sha256="a" * 64) for code in codes]


def test_all_findings_that_stop_a_service_are_named_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    reviewer = Reviewer(yes=True, accepted={"T02": "read by two people"})
    with pytest.raises(typer.Exit):
        reviewer.accepted_findings(findings("T01", "T02", "T06", "T01"))
    shown = " ".join(capsys.readouterr().err.split())
    assert shown.endswith("--accept 'T01=REASON' --accept 'T06=REASON'")


def test_a_reason_that_is_too_short_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("ok\nread by me\nby others too\n"))
    accepted = Reviewer(yes=False).accepted_findings(findings("T01", "T06"))
    assert [(item["code"], item["reason"]) for item in accepted] == [("T01", "read by me"), ("T06", "by others too")]


def test_an_interrupted_question_leaves_nothing(dyber: Dyber, repository: Repository) -> None:
    assert dyber("add-service", "--from", "npm:@example/weather", "--no-internet", answers="^C\n") == 130
    assert repository.names == []


def test_a_description_of_the_registry_can_be_added(dyber: Dyber, repository: Repository, tmp_path: Path) -> None:
    file = tmp_path / "server.json"
    package = {"registryType": "npm", "identifier": "@example/weather", "version": "1.0.0"}
    remote = {"type": "sse", "url": "https://mcp.example.com/sse"}
    file.write_text(json.dumps({"name": "io.example/wetter", "packages": [package], "remotes": [remote]}))
    assert dyber("add-service", "--from", f"registry:{file}", "--yes") == 0
    assert dyber("add-service", "far", "--from", f"registry:{file}", "--package", "2", "--yes") == 0
    catalog = load_catalog(repository.servers)
    assert catalog["wetter"].source and catalog["wetter"].source.npm == "@example/weather@1.0.0"
    assert catalog["far"].source and catalog["far"].source.url == "https://mcp.example.com/sse"
    with pytest.raises(StackError) as refused:
        dyber("add-service", "--import", str(file), "--yes")
    assert f"registry:{file}" in refused.value.next_step


def test_only_one_way_to_add_a_service_can_be_given(dyber: Dyber, repository: Repository) -> None:
    with pytest.raises(typer.BadParameter, match="--import"):
        dyber("add-service", "x", "--from", "npm:x", "--kind", "api")
    with pytest.raises(typer.BadParameter, match="--import"):
        dyber("add-service", "x", "--from", "npm:x", "--import", "mcp.json")


@pytest.mark.parametrize("option", [("--accept", "T01"), ("--accept", "everything"), ("--set", "CITY")])
def test_an_option_that_is_written_wrong_is_refused_with_its_form(
    dyber: Dyber, repository: Repository, option: tuple[str, str]
) -> None:
    with pytest.raises(typer.BadParameter, match="="):
        dyber("add-service", "--from", "npm:@example/weather", "--yes", *option)


def test_a_remote_server_gets_its_secret_in_a_header_or_in_its_address(dyber: Dyber, repository: Repository) -> None:
    address = "url:https://mcp.example.com/mcp?key=${MAP_KEY}"
    assert (
        dyber("add-service", "far", "--from", address, "--header", "Authorization: Bearer ${FAR_TOKEN}", "--yes") == 0
    )
    spec = load_catalog(repository.servers)["far"]
    assert spec.source
    assert spec.source.headers == {"Authorization": "Bearer ${FAR_TOKEN}"}
    assert spec.source.url == "https://mcp.example.com/mcp?key=${MAP_KEY}"
    assert spec.secrets == {"MAP_KEY": "required", "FAR_TOKEN": "required"}


@pytest.mark.parametrize(
    "option", [("--header", f"Authorization: Bearer {SECRET}"), ("--header", "x"), ("--secret", "TOKEN")]
)
def test_a_secret_of_a_remote_server_needs_a_place_and_no_value(
    dyber: Dyber, repository: Repository, option: tuple[str, str]
) -> None:
    with pytest.raises((StackError, typer.BadParameter)) as refused:
        dyber("add-service", "far", "--from", "url:https://mcp.example.com/mcp", "--yes", *option)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "command", [("add-service", "--from", "npm:sky", "--yes"), ("update-service", "weather", "--yes")]
)
def test_a_ctrl_c_while_a_server_is_made_ends_with_its_exit_code_and_leaves_nothing(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    dyber("add-service", "--from", "npm:@example/weather@1.0.0", "--yes")
    before = repository.texts()

    def interrupted(spec: Any) -> bool:
        raise KeyboardInterrupt

    repository.registry.answers = interrupted
    assert dyber(*command) == 130
    assert "nothing half done is left" in capsys.readouterr().err
    assert repository.texts() == before


def test_prompts_and_resources_are_shown_and_written_into_the_readme(
    dyber: Dyber, repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.registry.others = {
        "@example/weather@1.1.0": {
            "prompts": {"plan-trip": {"description": "Plan a trip"}},
            "resource_templates": {"weather://{city}": {"name": "weather"}},
        }
    }
    assert dyber("add-service", "--from", "npm:@example/weather", "--yes") == 0
    shown = capsys.readouterr().out
    assert "prompts (1): plan-trip" in shown and "templates of resources (1): weather://{city}" in shown
    readme = (repository.servers / "weather" / "README.md").read_text(encoding="utf-8")
    assert "提示词：`plan-trip`" in readme and "资源模板：`weather://{city}`" in readme


def test_a_poisoned_prompt_stops_the_service(dyber: Dyber, repository: Repository) -> None:
    repository.registry.others = {"@example/weather@1.1.0": {"prompts": {"plan-trip": {"description": POISON}}}}
    assert dyber("add-service", "--from", "npm:@example/weather", "--yes") == 1
    assert repository.names == []
