"""Implements `dyber release` and `dyber promote`, which pass image digests from stack to stack in files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli.commands.reading import StackOption, YesOption
from cli.commands.settings import findings, tools
from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.records import recording
from cli.release import contracts
from cli.release.release import KeyPath, Release, pinned_images, pins, release_of
from cli.stack_files.stack_file import StackFile
from cli.system.errors import StackError
from cli.terminal.console import Activities, err, out
from cli.terminal.usage import FAILED, examples
from infra.services import contract_diff
from infra.services.catalog import ServiceSpec, load_catalog
from infra.services.contract import Contract
from infra.services.contract_diff import Effect
from infra.services.hidden_tools import hidden_tools
from infra.services.scan.review import problems_of
from messages import tr
from toolchain.home import DyberHome


def release(stack: StackOption = "dev") -> None:
    """Print the image digests and contracts of what a stack runs as JSON; push its images if a registry is set."""
    home = DyberHome.from_environment()
    activate(home)
    deployment = Deployment.open(stack, create=False)
    with Activities(home.logs / "deploy.log") as display:
        record = release_of(deployment, display)
    sys.stdout.write(record.dumps())
    if not deployment.settings.registry:
        err.print(
            tr("No dyber:registry is set, so the images are on this engine only, and the record can be used only here.")
        )


def promote(
    source: Annotated[str, typer.Argument(help=tr("From: a stack, or a file that release wrote"))],
    target: Annotated[str, typer.Argument(help=tr("To: a stack"))],
    yes: YesOption = False,
    accept_breaking: Annotated[
        bool,
        typer.Option("--accept-breaking", help=tr("Accept tool changes that break callers")),
    ] = False,
) -> None:
    """Write the digests and contracts of what one stack runs into the file of the next; deploys nothing."""
    home = DyberHome.from_environment()
    activate(home)
    with Activities(home.logs / "deploy.log") as display:
        deployment = Deployment.open(target)
        specs = _services_of(deployment)
        record = _record(source, specs, display)
        before = _present_contracts(deployment, specs, display)
    changes = pins(record, deployment.settings, specs)
    if not changes:
        out.print(tr("{target} already has this release; no changes.", target=target))
        return
    breaks = _show(record, deployment, specs, before)
    _refuse_poisoned(record, specs)
    if breaks and not accept_breaking and (yes or not sys.stdin.isatty()):
        raise StackError(
            tr("some tools change in ways that break callers; nothing was written"),
            tr("review the changes, then add --accept-breaking"),
        )
    if not yes and not typer.confirm(tr("Write {name}?", name=deployment.file.name), default=False, err=True):
        raise typer.Exit(FAILED)
    write(deployment, changes)
    entry = recording.promotion(source, target, _changed_parts(record, deployment, specs))
    for stack in (target,) if source.endswith(".json") else (target, source):
        recording.record([entry], stack=stack)
    out.print(
        tr("{name} written ({changes} lines).", name=deployment.file.name, changes=len(changes)),
        markup=False,
    )
    out.print(tr("Review and commit: ") + f"git diff {deployment.file.name}", markup=False)
    out.print(tr("Then: ") + f"./deploy.sh deploy -s {target}", markup=False)
    out.print(
        tr("To go back: revert the file (git revert), deploy again."),
        markup=False,
    )


def _refuse_poisoned(record: Release, specs: list[ServiceSpec]) -> None:
    """Raise StackError if the scan finds something in a contract to be promoted that stops and that nobody accepted."""
    catalog = load_catalog(contracts.SERVERS)
    problems = [problem.text() for spec in specs for problem in problems_of(spec, record.contracts[spec.name], catalog)]
    if problems:
        raise StackError(
            "\n".join([tr("some tools may mislead agents; nothing was written"), *problems]),
            tr("read the tools; if they are harmless, accept the findings as shown above, then promote again"),
        )


def write(deployment: Deployment, changes: Mapping[KeyPath, str | int | None]) -> None:
    """Write settings by path into the stack's file and keep its comments; restore the file on failure."""
    file = StackFile(deployment.file)
    for (key, *path), value in changes.items():
        if path:
            file.set_in(key, path, value)
        else:
            file.set(key, value)
    file.save()
    try:
        Deployment.open(deployment.stack.name).check_settings()
    except BaseException:
        file.restore()
        raise


def _record(source: str, specs: list[ServiceSpec], display: Activities) -> Release:
    if source.endswith(".json"):
        return Release.load(Path(source))
    needed = {spec.name for spec in specs}
    without = frozenset(load_catalog(contracts.SERVERS)) - needed
    return release_of(Deployment.open(source, create=False), display, without)


def _services_of(deployment: Deployment) -> list[ServiceSpec]:
    """Return the services that the stack runs, including those it has no image and no contract of yet."""
    lenient = deployment.settings.model_copy(update={"images": "build", "contracts": "off"})
    return lenient.select(load_catalog(contracts.SERVERS))


def _present_contracts(deployment: Deployment, specs: list[ServiceSpec], display: Activities) -> dict[str, Contract]:
    """Return the stack's present tools by service, including hidden ones; services that never ran there are missing."""
    present: dict[str, Contract] = {}
    images = pinned_images(deployment.settings)
    for spec in specs:
        container = contracts.service_container(deployment.deployment_id(), spec.name)
        with display.phase(tr("Reading the present tools of {name}", name=spec.name)):
            if container is not None:
                present[spec.name] = contracts.running_tools(container).contract
            elif spec.name in images:
                present[spec.name] = contracts.image_contract(images[spec.name], spec)
    return present


def _changed_parts(record: Release, deployment: Deployment, specs: list[ServiceSpec]) -> list[str]:
    """Return the services and other parts whose image the promotion changes."""
    old = pinned_images(deployment.settings)
    parts = {spec.name for spec in specs} | (set(record.images) - set(load_catalog(contracts.SERVERS)))
    return [part for part in sorted(parts) if old.get(part) != record.images[part]]


def _show(record: Release, deployment: Deployment, specs: list[ServiceSpec], before: dict[str, Contract]) -> bool:
    """Print what the promotion changes; return whether a tool changes in a way that breaks callers."""
    old = pinned_images(deployment.settings)
    for part in _changed_parts(record, deployment, specs):
        out.print(Text(f"{part}: {short(old.get(part))} → {short(record.images[part])}"))
    breaks = False
    for spec in specs:
        present = before.get(spec.name)
        if present is None:
            out.print(f"{spec.name}: {tr('new in this stack')}", markup=False)
            findings.show_new(spec, Contract({}), record.contracts[spec.name])
            continue
        tools.show(spec.name, present, record.contracts[spec.name])
        findings.show_new(spec, present, record.contracts[spec.name])
        hidden = hidden_tools(record.contracts[spec.name].read_only, spec.environment)
        tools.show_hidden(spec.name, deployment.stack.name, hidden)
        breaks |= any(
            change.effect is Effect.BREAKS for change in contract_diff.compare(present, record.contracts[spec.name])
        )
    return breaks


def short(image: str | None) -> str:
    """Return an image with the first twelve digits of its digest, which is what people compare."""
    if image is None:
        return tr("(built here)")
    name, _, digest = image.rpartition("sha256:")
    return f"{name}sha256:{digest[:12]}…"


commands = typer.Typer()
commands.command(epilog=examples("./deploy.sh release -s dev > release.json"))(release)
commands.command(
    epilog=examples(
        "./deploy.sh promote dev test",
        "./deploy.sh promote test prod",
        "./deploy.sh promote release.json test --yes",
    )
)(promote)
