"""Implements `dyber tools …`, which writes the contracts of tools into lock files and compares them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.text import Text

from cli.commands.reading import AcceptedYesOption, StackOption
from cli.commands.settings import findings
from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.release import contracts
from cli.release.contracts import RunningTools
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.terminal.console import Activities, fail, out
from cli.terminal.usage import FAILED, examples
from infra.schema.problems import ConfigurationError
from infra.services import contract_diff
from infra.services.catalog import ServiceSpec, load_catalog
from infra.services.contract import LOCK_FILE, Contract, load_lock
from infra.services.contract_diff import Change, Effect
from infra.services.hidden_tools import READ_ONLY
from infra.settings.names import stack_file
from messages import tr
from toolchain.home import DyberHome

tools_app = typer.Typer(
    epilog=examples("./deploy.sh tools diff", "./deploy.sh tools lock template"), no_args_is_help=True
)
ServiceArgument = Annotated[str | None, typer.Argument(help=tr("The service; all when left out"), show_default=False)]
NOTHING = Contract({})
STYLES = {Effect.BREAKS: "red", Effect.READS: "yellow", Effect.COMPATIBLE: "green"}


@tools_app.command(
    "lock",
    help=tr("Write the present tools into {lock_file}, to be reviewed", lock_file=LOCK_FILE),
    epilog=examples("./deploy.sh tools lock template", "./deploy.sh tools lock --check"),
)
def tools_lock(
    service: ServiceArgument = None,
    check: Annotated[
        bool,
        typer.Option("--check", help=tr("Only compare; exit code 1 on a difference")),
    ] = False,
    yes: AcceptedYesOption = False,
) -> None:
    """Write the present tools into the lock files, or only compare them."""
    home = DyberHome.from_environment()
    activate(home)
    differs = False
    for spec in _specs(service):
        file = spec.folder / LOCK_FILE
        actual, text, notes = _present_contract(spec, home)
        _show_notes(spec.name, notes)
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            out.print(f"[green]✓[/] {spec.name}: {tr('no changes')}")
            continue
        differs = True
        before = _locked(spec, readable=check)
        show(spec.name, before, actual)
        findings.show_new(spec, before, actual)
        if not check:
            file.write_text(text, encoding="utf-8")
            out.print(tr("written: ") + str(file.relative_to(ROOT)), markup=False)
    if check and differs:
        raise typer.Exit(FAILED)


def _show_notes(service: str, notes: Sequence[str]) -> None:
    """Print what was repaired in the list of a server of others, or is not served."""
    for note in notes:
        out.print(Text(f"  {service}: {note}", style="yellow"))


def _present_contract(spec: ServiceSpec, home: DyberHome) -> tuple[Contract, str, Sequence[str]]:
    """Return the contract of a service as its code is now, the text of its lock file, and sentences about what was
    repaired or is not served.

    The image of a source is built for it if its locks changed.
    """
    if spec.source is None:
        return (*contracts.source_contract(spec), ())
    from cli.deployment.image_build import build_image, build_settings

    lock = spec.folder / LOCK_FILE
    if spec.source.kind == "url" and lock.is_file():
        # Only a container with a network could ask the server; its bridge compares the tools all the time.
        return _locked(spec), lock.read_text(encoding="utf-8"), ()
    with Activities(home.logs / "image.log") as display:
        image = build_image(spec, build_settings("dev"), display)
        with display.phase(tr("Listing the tools of {service}", service=spec.name), 10):
            return contracts.bridged_contract(image, spec)


@tools_app.command(
    "diff",
    help=tr(
        "Show how the running tools differ from the contract, and what breaks callers; exit code 1 on a difference"
    ),
    epilog=examples(
        "./deploy.sh tools diff",
        "./deploy.sh tools diff template --against main",
        "./deploy.sh tools diff --against prod",
    ),
)
def tools_diff(
    service: ServiceArgument = None,
    against: Annotated[
        str | None,
        typer.Option(
            help=tr(
                "Compare with the tools running in another stack, or the present contract with that of a git revision"
            )
        ),
    ] = None,
    stack: StackOption = "dev",
) -> None:
    """Show how the running tools differ from the contract or from another stack's tools.

    With a git revision, show how the present contract differs from that of the revision.
    """
    activate(DyberHome.from_environment())
    differs = False
    compared = set()
    specs = {spec.name: spec for spec in _specs(service)}
    for name, before, after, hidden in _pairs(service, against, stack):
        differs |= show(name, before, after)
        findings.show_new(specs[name], before, after)
        if not against and specs[name].source:
            differs |= _show_behind(specs[name], stack, after)
        for where, names in hidden.items():
            show_hidden(name, where, names)
        compared.add(name)
    if differs | _report_silent(stack, service, against, compared):
        raise typer.Exit(FAILED)


tools_app.command(
    "scan",
    help=tr("Look for texts in the contracts that mislead agents; exit code 1 if one stops a service"),
    epilog=examples("./deploy.sh tools scan", "./deploy.sh tools scan template", "./deploy.sh tools scan --json"),
)(findings.tools_scan)


def _report_silent(stack: str, service: str | None, against: str | None, compared: set[str]) -> bool:
    """Name the services of the stack that were not compared because they do not run; return whether there are any."""
    if against and not (ROOT / stack_file(against)).is_file():
        return False
    expected = Deployment.open(stack, create=False).outputs()["services"]
    silent = [name for name in expected if name not in compared and service in (None, name)]
    if silent:
        fail(
            tr("not running, so not compared: {silent}", silent=", ".join(silent)),
            tr("see why: ./deploy.sh status -s {stack}", stack=stack),
        )
    return bool(silent)


def show(service: str, before: Contract, after: Contract) -> bool:
    """Print how the tools of a service change; return whether they do."""
    changes = contract_diff.compare(before, after)
    if not changes:
        out.print(f"[green]✓[/] {service}: {tr('the tools are the same')}")
        return False
    out.print(Text(f"{service}: {summary(changes)}", style="bold"))
    for change in changes:
        for line in change.lines():
            out.print(Text(line, style=STYLES[change.effect]))
    return True


def _show_behind(spec: ServiceSpec, stack: str, served: Contract) -> bool:
    """Print how the server behind a running service lists other tools than the service has; return whether it does.

    `served` are the tools that the service has.
    """
    container = contracts.service_container(_deployment_id(stack), spec.name)
    if container is None:
        return False
    try:
        listed = contracts.listed_now(container)
    except StackError as error:
        fail(tr("{service}: the server behind it cannot be asked: {reason}", service=spec.name, reason=error.message))
        return True
    if listed is None:
        differs = contracts.concerns(container).differs
        if differs:
            out.print(Text(f"{spec.name}: {_lists_others()}: {differs}", style="yellow"))
        return bool(differs)
    listed = _like_served(listed, served)
    if not contract_diff.compare(served, listed):
        return False
    out.print(Text(f"{spec.name}: {_lists_others()}:", style="yellow"))
    show(spec.name, served, listed)
    findings.show_new(spec, served, listed)
    update = tr("after a review: ./deploy.sh update-service {service}", service=spec.name)
    out.print(Text(f"→ {update}", style="yellow"))
    return True


def _lists_others() -> str:
    return tr("the server behind it lists other tools than the contract has; calls of changed ones are refused")


def _like_served(listed: Contract, served: Contract) -> Contract:
    """Return what a server lists without the resources that its service does not have: many list what they hold now."""
    resources = {
        name: entry
        for name, entry in listed.others.get("resources", {}).items()
        if name in served.others.get("resources", {})
    }
    others = {**listed.others, "resources": resources}
    return Contract(listed.tools, {kind: entries for kind, entries in others.items() if entries}, served.kinds)


def summary(changes: list[Change]) -> str:
    """Return how many changes there are of each effect on callers, as text."""
    labels = {
        Effect.BREAKS: tr("break callers"),
        Effect.READS: tr("change what agents read"),
        Effect.COMPATIBLE: tr("compatible"),
    }
    counts = {effect: sum(change.effect is effect for change in changes) for effect in Effect}
    return tr(", ").join(f"{labels[effect]}: {count}" for effect, count in counts.items() if count)


def show_hidden(service: str, stack: str, names: Sequence[str]) -> None:
    """Print the tools of a service that a stack's settings hide from agents; hiding does not change the contract."""
    if names:
        hidden_by = tr("hidden by {read_only} of {stack}", read_only=READ_ONLY, stack=stack)
        out.print(Text(f"  {service}: {hidden_by}: {', '.join(names)}", style="dim"))


#: A service, its contract before and after, and by stack the tools that are hidden there.
Pair = tuple[str, Contract, Contract, dict[str, tuple[str, ...]]]


def _pairs(service: str | None, against: str | None, stack: str) -> Iterator[Pair]:
    if against and not (ROOT / stack_file(against)).is_file():
        for spec in _specs(service):
            yield spec.name, contracts.lock_at(against, spec.name) or NOTHING, _locked(spec), {}
        return
    is_any_running = False
    deployment = _deployment_id(stack)
    other_deployment = _deployment_id(against) if against else None
    for spec in _specs(service):
        running = _running(deployment, spec.name)
        other = _running(other_deployment, spec.name)
        if running is None and other is None:
            continue
        is_any_running = True
        hidden = {name: tools.hidden for name, tools in ((against, other), (stack, running)) if name and tools}
        present = running.contract if running else NOTHING
        if against:
            yield spec.name, other.contract if other else NOTHING, present, hidden
        elif running:
            yield spec.name, _locked(spec), present, hidden
    if not is_any_running:
        raise StackError(
            tr("no service is running in stack {stack}", stack=stack),
            tr("run ./deploy.sh -s {stack} first", stack=stack),
        )


def _running(deployment: str | None, service: str) -> RunningTools | None:
    container = contracts.service_container(deployment, service)
    return contracts.running_tools(container) if container else None


def _deployment_id(stack: str) -> str | None:
    return Deployment.open(stack, create=False).deployment_id()


def _specs(service: str | None) -> list[ServiceSpec]:
    # A lock file that cannot be read must not prevent writing a new one.
    catalog = load_catalog(contracts.SERVERS, locks=False)
    if service is None:
        return list(catalog.values())
    if service not in catalog:
        known = ", ".join(catalog)
        raise typer.BadParameter(tr("there is no service {service!r}; known: {known}", service=service, known=known))
    return [catalog[service]]


def _locked(spec: ServiceSpec, readable: bool = True) -> Contract:
    """Return the contract in the service's lock file, or an empty contract if there is no lock file.

    An unusable lock file raises ConfigurationError if it must be `readable`, else it counts as an empty contract.
    """
    try:
        return load_lock(spec.folder) or NOTHING
    except ConfigurationError:
        if readable:
            raise
        return NOTHING
