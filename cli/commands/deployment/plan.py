"""Implements `dyber plan`, which saves plans and writes a comment for their review, and `dyber apply`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pulumi.automation.errors import CommandError

from cli.commands.options import changed, check, graceful_interrupt, set_up
from cli.commands.reading import AcceptedYesOption, StackOption
from cli.configuration import env_values
from cli.deployment import policies
from cli.deployment.deployment import Deployment
from cli.deployment.events import DeployError, explain
from cli.previews import copy_preview
from cli.previews.comment import render
from cli.previews.model import StackPreview
from cli.previews.tool_lists import ToolList, tool_lists
from cli.records import recording
from cli.release import contracts
from cli.system import programs
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.system.git import git, git_output
from cli.terminal.console import Activities, out
from cli.terminal.usage import FAILED, examples
from infra.parts.composition import checked_services
from infra.schema.problems import ConfigurationError
from infra.services import contract_diff
from infra.services.catalog import load_catalog
from infra.services.contract import Contract, load_lock
from infra.services.contract_diff import Change
from infra.services.scan import Finding
from infra.services.scan.review import new_findings
from infra.settings.names import stack_file
from infra.settings.stack import parse_settings
from messages import tr
from toolchain.home import DyberHome
from toolchain.pulumi.backend import masked

COMMENT = "preview.md"


def plan(
    stacks: Annotated[list[str], typer.Option("--stack", "-s", help=tr("A stack; may be given several times"))],
    directory: Annotated[Path, typer.Option("--out", help=tr("The folder to write to"))] = Path("plans"),
    base: Annotated[
        str | None,
        typer.Option(help=tr("The git revision to compare settings and tools with")),
    ] = None,
    copies: Annotated[
        Path | None,
        typer.Option(
            "--state-copies",
            help=tr("Preview the commit on state copies that state-copy wrote; needs no secrets and saves no plan"),
        ),
    ] = None,
) -> None:
    """Save a plan for each stack and one Markdown comment about all; changes nothing."""
    if copies and not base:
        raise typer.BadParameter(tr("--state-copies needs --base"))
    base = branched_off(base) if base else None
    home = DyberHome.from_environment()
    directory.mkdir(parents=True, exist_ok=True)
    with Activities(home.logs / "deploy.log") as display:
        set_up(home, display)
        previews = []
        for stack in stacks:
            with display.phase(tr("Previewing stack {stack}", stack=stack)):
                if copies and base:
                    previews.append(_preview_on_a_copy(stack, copies / f"{stack}.json", base))
                else:
                    previews.append(_preview(stack, directory / f"{stack}.plan.json", base))
    comment = directory / COMMENT
    changes, findings = _tools(base) if base else ({}, {})
    text = render(previews, changes, git_output(ROOT, "rev-parse", "HEAD"), findings)
    comment.write_text(text, encoding="utf-8")
    out.print(tr("written: ") + str(comment), markup=False)
    if any(item.preview is None for item in previews):
        raise typer.Exit(FAILED)


def apply(
    file: Annotated[Path, typer.Argument(help=tr("A plan that the command plan saved"))],
    yes: AcceptedYesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Make the changes of a saved plan, and no others."""
    if not file.is_file():
        raise StackError(
            tr("plan {file} does not exist", file=file),
            tr("run ./deploy.sh plan -s {stack} first", stack=stack),
        )
    _refuse_damaged(file, stack)
    home = DyberHome.from_environment()
    with Activities(home.logs / "deploy.log") as display:
        set_up(home, display)
        with recording.attempt(stack) as attempt:
            deployment = Deployment.open(stack)
            check(deployment)
            env_values.show_taken(stack)
            deployment.recover(display)
            attempt.begin(deployment)
            with graceful_interrupt():
                _, attempt.changes = deployment.up(display, plan=file)
    out.print(tr("Deployed as planned ({changes} changes).", changes=changed(attempt.changes)))


def _refuse_damaged(file: Path, stack: str) -> None:
    if _document(file.read_text(encoding="utf-8", errors="replace")) is None:
        raise StackError(
            tr("{file} is not a plan, or is damaged", file=file),
            tr("make a new plan and review it: ./deploy.sh plan -s {stack}", stack=stack),
        )


def _preview(stack: str, file: Path, base: str | None) -> StackPreview:
    """Preview one stack and save its plan in `file`; for a stack that cannot be previewed, return the reason."""
    file.unlink(missing_ok=True)
    try:
        deployment = Deployment.open(stack)
        lists = tool_lists(deployment.settings, deployment.hub_content())
        env_values.show_taken(stack)
    except (ConfigurationError, StackError) as error:
        return StackPreview(stack, None, error=str(error))
    except CommandError as error:
        return StackPreview(stack, None, error=failure(None, str(error)))
    done = programs.run(
        ["pulumi", "preview", "--json", "--show-replacement-steps", "--non-interactive", "--stack", stack,
         "--save-plan", str(file.resolve()), "--policy-pack", policies.PACK],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    document = _document(done.stdout)
    if done.returncode or document is None:
        file.unlink(missing_ok=True)
        return StackPreview(stack, None, error=failure(document, done.stderr))
    return StackPreview(
        stack,
        document,
        file_at(base, deployment.file.name) if base else "",
        settings_now(deployment) if base else "",
        tool_lists=tuple(lists),
    )


def _preview_on_a_copy(stack: str, copy: Path, base: str) -> StackPreview:
    """Preview the checked-out commit for one stack on a copy of its state that has no secrets."""
    try:
        document = copy_preview.preview(ROOT, stack, copy, base)
    except StackError as error:
        return StackPreview(stack, None, error=f"{error.message}\n{error.next_step}")
    except copy_preview.Failed as failed:
        return StackPreview(stack, None, error=failure(failed.document, failed.errors))
    file = stack_file(stack)
    after = file_at("HEAD", file)
    return StackPreview(stack, document, file_at(base, file), after, tool_lists=tuple(_lists_of(stack, after)))


def _lists_of(stack: str, text: str) -> list[ToolList]:
    """Return what the hub lists by the `text` of a stack's file, of which secrets need not be decrypted."""
    values = (yaml.safe_load(text) or {}).get("config") or {}
    readable = {key: json.dumps(copy_preview.with_placeholders(value)) for key, value in values.items()}
    settings = parse_settings(stack, readable, {})
    return tool_lists(settings, checked_services(settings, load_catalog(contracts.SERVERS))[1])


def failure(document: dict[str, Any] | None, errors: str) -> str:
    """Return why a preview failed, from its JSON `document` and its standard error."""
    messages = [str(item.get("message", "")) for item in (document or {}).get("diagnostics") or ()]
    error = explain(errors, [text.strip() for text in messages if text.strip()])
    return "\n".join([error.message, *error.details]) if isinstance(error, DeployError) else masked(errors)


def settings_now(deployment: Deployment) -> str:
    """Return the present text of the stack's file."""
    return deployment.file.read_text(encoding="utf-8")


def branched_off(revision: str) -> str:
    """Return the commit at which the present branch left `revision`.

    Comparing with that commit leaves out what others have changed in `revision` since.
    """
    return git_output(ROOT, "merge-base", revision, "HEAD") or revision


def file_at(revision: str, path: str) -> str:
    """Return the text of a file in a git revision; '' if the revision does not have it."""
    shown = git(ROOT, "show", f"{revision}:./{path}")
    return shown.stdout if shown.returncode == 0 else ""


def _document(text: str) -> dict[str, Any] | None:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        return None


def _tools(base: str) -> tuple[dict[str, Sequence[Change]], dict[str, Sequence[Finding]]]:
    """Return by service how the contracts in the repository changed since `base`, and what the scan finds in them."""
    changes: dict[str, Sequence[Change]] = {}
    findings: dict[str, Sequence[Finding]] = {}
    catalog = load_catalog(contracts.SERVERS)
    for name, spec in catalog.items():
        before, after = contracts.lock_at(base, name) or Contract({}), load_lock(spec.folder) or Contract({})
        changes[name] = contract_diff.compare(before, after)
        findings[name] = new_findings(spec, before, after, catalog)
    return changes, findings


commands = typer.Typer()
commands.command(
    epilog=examples(
        "./deploy.sh plan -s test -s prod --base origin/main --out plans",
        "./deploy.sh plan -s test -s prod --base origin/main --state-copies state-copies",
    )
)(plan)
commands.command(epilog=examples("./deploy.sh apply plans/test.plan.json -s test"))(apply)
