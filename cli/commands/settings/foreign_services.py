"""Adds a foreign server as a service, from a package, an image or an address, or from the reviewed ones."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import typer
from pydantic import SecretStr
from rich.text import Text

from cli.commands.options import interrupt_afterwards, set_up
from cli.commands.settings import foreign_dialogue as dialogue
from cli.commands.settings import unused_options
from cli.deployment.events import DeployError
from cli.deployment.image_build import build_settings
from cli.engine.errors import EngineError
from cli.services import naming
from cli.services.adding import descriptions, service_files, stored_secrets
from cli.services.adding.adding import Adder, Candidate
from cli.services.adding.service_files import Choices
from cli.services.importing import names, source_words
from cli.services.importing.requests import Kind, RefusedError, SourceRequest, WantedSecret
from cli.services.importing.secret_words import is_secret_name, may_be_secret
from cli.services.sources.packages import Package
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.terminal.console import Activities, err, fail, out
from cli.terminal.usage import INTERRUPTED
from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec, load_catalog
from infra.services.foreign_catalog import Entry
from messages import language, tr
from toolchain.errors import SetupError
from toolchain.home import DyberHome

#: The key of an answer about an argument, which is no variable.
_ARGUMENT = re.compile(r"argument-\d+")


@dataclass(frozen=True)
class Given:
    """What the command line says about foreign servers; `servers` is mcp-servers/."""

    servers: Path
    stack: str = "dev"
    yes: bool = False
    name: str | None = None
    port: str | None = None
    title: str | None = None
    program: str = ""
    number: int | None = None
    internet: bool | None = None
    arguments: Sequence[str] = ()
    headers: Sequence[str] = ()
    requirements: Sequence[str] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Sequence[str] = ()
    read: Sequence[str] = ()
    write: Sequence[str] = ()
    off: Sequence[str] = ()
    accept: Sequence[str] = ()
    min_age: int | None = None


@dataclass(frozen=True)
class Planned:
    """A server that will become a service, and the values of its secrets."""

    request: SourceRequest
    choices: Choices
    secrets: Mapping[str, SecretStr] = field(repr=False)


def add_from(source: str, given: Given) -> str | None:
    """Add the server that `source` describes, and return the service's name; None if it is there already.

    Raises typer.TyperException, StackError, ConfigurationError, EngineError, SetupError.
    """
    private, _ = dialogue.acceptances(given.accept)
    try:
        described = descriptions.Description(
            source, arguments=given.arguments, headers=given.headers, number=given.number, private=private
        )
        confirmed = {key: value for key, value in given.values.items() if _ARGUMENT.fullmatch(key)}
        asked = {question.key for question in described.request(confirmed).questions} | set(confirmed)
        request = dialogue.answered(described.request, given.values, yes=given.yes)
        _with_options(request, given, {name: value for name, value in given.values.items() if name not in asked})
    except RefusedError as refusal:
        raise dialogue.refused(refusal) from None
    unused_options.refuse_for_source(given, request.kind, is_registry=source.strip().startswith(source_words.REGISTRY))
    dialogue.show_remarks(request.remarks)
    catalog = load_catalog(given.servers)
    name = _name(request, given, catalog)
    if name in catalog and service_files.is_the_same(service_files.read(given.servers / name), request):
        _tell_the_same(name, request, given, catalog[name])
        return None
    folders = {path.name for path in given.servers.iterdir()}
    choices = Choices(
        naming.checked_name(name, folders),
        naming.checked_port(given.port or "", catalog),
        naming.checked_title(given.title or request.title or name),
        dialogue.ask_internet(request, yes=given.yes) if given.internet is None else given.internet,
        name if request.disabled else None,
        private and request.kind is Kind.URL,
    )
    secrets = dialogue.ask_secrets(request, yes=given.yes)
    add_planned([Planned(request, choices, secrets)], given, catalog)
    return choices.name


def add_reviewed(entry: Entry, given: Given) -> str | None:
    """Add a reviewed server, and return the service's name; None if it is there already. Raises as `add_from` does."""
    unused_options.refuse_for_reviewed(given)
    catalog = load_catalog(given.servers)
    reference = Package(entry.source.kind, entry.source.package, entry.source.version, entry.source.reference)
    present = catalog.get(entry.name)
    if present and present.source and present.source.package == entry.source.package:
        out.print(
            tr(
                "{name} is there already, {reference}. No changes.", name=entry.name, reference=present.source.reference
            ),
            markup=False,
        )
        _tell_unused(entry.name, given)
        return None
    naming.checked_name(entry.name, {path.name for path in given.servers.iterdir()})
    content = entry.service(naming.checked_port(given.port or "", catalog), language())
    if given.title is not None:
        content["title"] = naming.checked_title(given.title)
    if entry.needs:
        err.print(Text(tr("It needs: {needs}", needs=entry.needs.of(language())), style="yellow"))
    if entry.caution:
        err.print(Text(tr("Note: {caution}", caution=entry.caution.of(language())), style="yellow"))
    request = SourceRequest(
        secrets={name: WantedSecret(name, need == "required") for name, need in entry.secrets.items()}
    )
    choices = Choices(entry.name, content["port"], content["title"], entry.internet)
    item = Planned(request, choices, dialogue.ask_secrets(request, yes=given.yes))
    _, findings = dialogue.acceptances(given.accept)
    reviewer = dialogue.Reviewer(given.yes, given.read, given.write, given.off, findings)

    def add(adder: Adder) -> Candidate:
        return adder.add_content(entry.name, content, reference, item.secrets, reviewer, [entry.source.transport])

    with _adder(given, catalog) as adder:
        _add_one(item, given, lambda: add(adder))
    return entry.name


def add_planned(
    planned: Sequence[Planned],
    given: Given,
    catalog: Mapping[str, ServiceSpec],
    failures: dict[str, str] | None = None,
) -> list[str]:
    """Make the services, and return the names of those that were made.

    With `failures`, a server that cannot be added does not keep the next ones from being added; its name and the reason
    are then put there.
    """
    _, findings = dialogue.acceptances(given.accept)
    reviewer = dialogue.Reviewer(given.yes, given.read, given.write, given.off, findings)
    added = []
    with _adder(given, catalog) as adder:
        for item in planned:
            try:
                _add_one(item, given, partial(_made, item, adder, reviewer))
            except (
                StackError,
                ConfigurationError,
                EngineError,
                SetupError,
                DeployError,
                typer.TyperException,
            ) as error:
                if failures is None:
                    raise
                failures[item.choices.name] = _shown_failure(item.choices.name, error)
            except typer.Exit as stopped:
                if failures is None or stopped.exit_code == INTERRUPTED:
                    raise
                failures[item.choices.name] = tr("it was not accepted, see above")
            else:
                added.append(item.choices.name)
    return added


def _shown_failure(name: str, error: Exception) -> str:
    """Print why a server could not be added, and return the reason as one line."""
    reason = error.format_message() if isinstance(error, typer.TyperException) else str(error)
    for text in getattr(error, "details", ()):
        err.print(text, markup=False)
    fail(f"{name}: {reason}", getattr(error, "next_step", ""))
    return reason.partition("\n")[0]


@contextmanager
def _adder(given: Given, catalog: Mapping[str, ServiceSpec]) -> Iterator[Adder]:
    """Set the machine up, and yield what adds services while progress is shown."""
    home = DyberHome.from_environment()
    with Activities(home.logs / "add-service.log") as display:
        set_up(home, display)
        build = build_settings(given.stack)
        try:
            min_age = build.min_age_days if given.min_age is None else given.min_age
            yield Adder(given.servers, home, display, build, catalog, interrupt_afterwards, min_age)
        except KeyboardInterrupt:
            err.print(tr("Cancelled; nothing half done is left."))
            raise typer.Exit(INTERRUPTED) from None


def _made(item: Planned, adder: Adder, reviewer: dialogue.Reviewer) -> Candidate:
    secrets = {name: replace(secret, value=item.secrets.get(name)) for name, secret in item.request.secrets.items()}
    request = replace(item.request, secrets=secrets)
    return adder.add(request, item.choices, adder.find(request), reviewer)


def _add_one(item: Planned, given: Given, make: Callable[[], Candidate]) -> None:
    """Make a service, store its secrets, and tell what to do next."""
    candidate = make()
    try:
        stored_secrets.store(given.stack, ROOT, item.choices.name, item.secrets)
    except BaseException:
        # Without its secrets the service would be half added.
        shutil.rmtree(candidate.folder, ignore_errors=True)
        raise
    _show_added(item, given.stack)


def _show_added(item: Planned, stack: str) -> None:
    name, choices = item.choices.name, item.choices
    out.print(f"[green]✓[/] {tr('Made mcp-servers/{name}, port {port}', name=name, port=choices.port)}")
    if not choices.internet:
        out.print(tr("  it cannot reach the Internet; if it needs to: internet: true in service.yaml"), markup=False)
    if choices.profile:
        out.print(
            tr("  it was switched off, and runs where profiles contain {profile}", profile=choices.profile),
            markup=False,
        )
    for secret in item.secrets:
        out.print(
            tr("  secret {name} is stored, encrypted, in the stack {stack}", name=secret, stack=stack), markup=False
        )
    for missing in [secret for secret in item.request.secrets if secret not in item.secrets]:
        hint = tr("  set its secret: ")
        out.print(f"{hint}{stored_secrets.command(name, missing, stack)}", markup=False)


def _with_options(request: SourceRequest, given: Given, variables: Mapping[str, str]) -> None:
    """Add what further options say: variables, secrets, the program and requirements. Raises typer.BadParameter."""
    for name, value in variables.items():
        if is_secret_name(name) or may_be_secret(value):
            raise typer.BadParameter(
                tr("{name}: a secret's value cannot be on a command line; write --secret {name}", name=name)
            )
        if names.cannot_be_given(name):
            raise typer.BadParameter(tr("the variable {name} is set by the image", name=name))
        known = names.variable_name(name, request.name)
        request.environment[known] = value
        if known != name:
            request.renamed[name] = known
    if request.kind is Kind.URL and given.secrets:
        raise typer.BadParameter(
            tr("say where the secret goes: --header 'Authorization: Bearer ${{{name}}}'", name=given.secrets[0])
        )
    for name in given.secrets:
        known = names.secret_name(name, request.name)
        request.secrets.setdefault(known, WantedSecret(known))
        if known != name:
            request.renamed[name] = known
    if given.program:
        request.command = given.program
    request.requirements += tuple(given.requirements)


def _name(request: SourceRequest, given: Given, catalog: Mapping[str, ServiceSpec]) -> str:
    name = given.name or request.name
    if not name:
        raise typer.BadParameter(tr("the service needs a name; write it after add-service"))
    return name.strip()


def _tell_the_same(name: str, request: SourceRequest, given: Given, spec: ServiceSpec) -> None:
    """Tell that a server is a service already, and whether another version was asked for."""
    assert spec.source
    if request.version and request.version not in ("latest", spec.source.version):
        raise StackError(
            tr("{name} has the version {version}", name=name, version=spec.source.version),
            tr("to change it: ./deploy.sh update-service {name} --to {wanted}", name=name, wanted=request.version),
        )
    out.print(
        tr("{name} is there already, {reference}. No changes.", name=name, reference=spec.source.reference),
        markup=False,
    )
    _tell_unused(name, given)


def _tell_unused(name: str, given: Given) -> None:
    """Tell which options changed nothing, as the service is there already."""
    if text := unused_options.without_effect(given, name):
        err.print(Text(text, style="yellow"))
