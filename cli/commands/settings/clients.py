"""Implements `dyber clients`, which prints a ready-to-use configuration for an MCP client."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cli.clients import addresses
from cli.commands.reading import StackOption, client_token, deployed
from cli.terminal.console import err
from cli.terminal.usage import examples
from infra.rendering.clients import entries, formats
from infra.schema.problems import ConfigurationError
from messages import chosen_language, tr

if TYPE_CHECKING:
    from cli.deployment.deployment import Deployment
    from infra.settings.stack import StackSettings

commands = typer.Typer()


@commands.command(
    epilog=examples(
        "./deploy.sh clients claude-code > .mcp.json",
        "./deploy.sh clients codex >> ~/.codex/config.toml",
        "./deploy.sh clients qwen-agent --with-token",
        "./deploy.sh clients cursor --group pet",
        "./deploy.sh clients claude-code --search",
        "./deploy.sh clients vscode --group pet --search",
        "./deploy.sh clients vscode --per-service",
        "./deploy.sh clients n8n --from-container",
        "./deploy.sh clients --certificate > dyber.pem",
    )
)
def client_configuration(
    format: Annotated[str, typer.Argument(help=", ".join(formats.FORMATS))] = "claude-code",
    client: Annotated[
        str | None,
        typer.Option(help=tr("The client whose token is used and whose services are listed")),
    ] = None,
    group: Annotated[
        str | None, typer.Option(help=tr("The address of this group of tools, not that of all tools"))
    ] = None,
    search: Annotated[
        bool, typer.Option("--search", help=tr("The address where a client searches tools instead of a long list"))
    ] = False,
    per_service: Annotated[
        bool, typer.Option("--per-service", help=tr("An entry for each service, not one for all tools"))
    ] = False,
    with_token: Annotated[
        bool,
        typer.Option("--with-token", help=tr("Write the token itself, not ${DYBER_TOKEN}")),
    ] = False,
    from_container: Annotated[
        bool,
        typer.Option(
            "--from-container",
            help=tr("For a client that runs in a container on this machine"),
        ),
    ] = False,
    certificate: Annotated[
        bool,
        typer.Option(
            "--certificate",
            help=tr("Print only the certificate that clients must trust (PEM)"),
        ),
    ] = False,
    stack: StackOption = "dev",
) -> None:
    """Print a ready-to-use MCP client configuration."""
    if format not in formats.FORMATS:
        raise typer.BadParameter(
            tr("there is no format {format!r}; known: {formats}", format=format, formats=", ".join(formats.FORMATS))
        )
    if per_service and (group is not None or search):
        raise typer.BadParameter(tr("--per-service cannot be used with --group or --search"))
    deployment, outputs = deployed(stack, with_settings=True, ask_engine=certificate)
    gateway = outputs["gateway"]
    if certificate:
        sys.stdout.write(addresses.certificate(gateway, deployment.require_id()))
        if hint := addresses.public_authority_hint(gateway):
            _hint(hint)
        return
    option = "" if stack == "dev" else f" -s {stack}"
    name, token = client_token(outputs, client) if with_token or client else (None, None)
    settings = deployment.settings.clients.get(name or "")
    refuse_undeployed(deployment.settings, outputs, group, search, option)
    services = servers(outputs, group, search, per_service, option, deployment.settings.hub.enabled)
    if group is not None and group not in deployment.settings.groups:
        _hint(
            tr(
                "the group {group} is no longer in the stack's file; the next ./deploy.sh{option} removes it",
                group=group,
                option=option,
            )
        )
    elif group is not None and name and settings and settings.services is not None:
        refuse_useless_group(name, settings.services, group, deployment.settings.groups[group].services)
    if services is None:
        services = usable(format, name or "", outputs["services"], settings.services if settings else None, option)
    if from_container:
        services = addresses.for_containers(services)
        _hint(addresses.container_hint(deployment.settings.gateway.bind, option))
    elif format in formats.IN_CONTAINERS and any(addresses.is_loopback(item["mcp"]) for item in services.values()):
        _hint(tr("add --from-container if {format} runs in a container", format=format))
    # Services answer in Chinese unless they are asked for English or set to it.
    language = "en" if chosen_language() == "en" else None
    if language and format in formats.WITHOUT_LANGUAGE:
        _hint(tr("{format} cannot ask for English: set DYBER_LANGUAGE=en in the services' environment", format=format))
    sys.stdout.write(formats.render(format, services, token if with_token else None, language) + "\n")
    if not search and not per_service and outputs.get("hub"):
        _hint_at_limits(deployment, format, group, client)
    show = f"./deploy.sh token show{f' {name}' if name else ''}{option}"
    token_note = None if with_token else formats.token_note(format, show)
    for hint in (token_note, formats.note(format, services), addresses.trust_hint(gateway, option)):
        if hint:
            _hint(hint)
    if sys.stdout.isatty():
        place = tr(formats.FILES[format])
        _hint(tr("where it goes: {place}", place=place))


def _hint_at_limits(deployment: Deployment, format: str, group: str | None, client: str | None) -> None:
    """Say what the hub lists and the program does not pass on to a model."""
    from cli.previews.tool_lists import hints_for, tool_lists

    program = formats.PROGRAMS_WITH_LIMITS.get(format)
    if program is None:
        return
    try:
        lists = tool_lists(deployment.settings, deployment.hub_content())
    except ConfigurationError:
        # The deployed stack has an address all the same; a preview tells what is wrong in the file.
        return
    for sentence in hints_for(program, lists, f"/groups/{group}/mcp" if group else "/mcp", client):
        _hint(sentence)


def refuse_undeployed(
    settings: StackSettings, outputs: Mapping[str, Any], group: str | None, search: bool, option: str = ""
) -> None:
    """Raise typer.BadParameter if the stack's file has the group or the search, but the deployed stack does not yet.

    `option` selects the stack in suggested commands.
    """
    hub = outputs.get("hub") or {}
    if not settings.hub.enabled:
        return
    if group is not None and group in settings.groups and group not in hub.get("groups", {}):
        raise typer.BadParameter(
            tr("the group {group} is not deployed yet: run ./deploy.sh{option} first", group=group, option=option)
        )
    place = hub if group is None else hub.get("groups", {}).get(group)
    if search and settings.hub.search and place is not None and not place.get("search"):
        raise typer.BadParameter(
            tr("the search of tools is not deployed yet: run ./deploy.sh{option} first", option=option)
        )


def servers(
    outputs: Mapping[str, Any],
    group: str | None,
    search: bool,
    per_service: bool,
    option: str = "",
    hub_is_written: bool = False,
) -> dict[str, Any] | None:
    """Return the one server that a configuration has, by its name; None if it has an entry for each service.

    That is with `per_service`, or, with a hint, if the stack has no hub. `option` selects the stack in suggested
    commands, `hub_is_written` tells whether the stack's file has the hub. Raises typer.BadParameter if the stack lacks
    the group or the search.
    """
    hub, services = outputs.get("hub"), outputs["services"]
    try:
        if search:
            return entries.search_entry(hub, services, option, group)
        if group is not None:
            return entries.group_entry(hub, services, group, option)
    except entries.NoSuchEntryError as error:
        raise typer.BadParameter(str(error)) from None
    if per_service:
        return None
    if hub is None:
        _hint(entries.no_hub_hint(option, hub_is_written))
        return None
    return entries.hub_entry(hub, services)


def refuse_useless_group(client: str, scopes: Mapping[str, Any], group: str, group_services: Mapping[str, Any]) -> None:
    """Raise typer.BadParameter if the client may call none of the group's services, so that it would only get 404."""
    if not scopes.keys() & group_services.keys():
        raise typer.BadParameter(
            tr(
                "{client} may call no service of the group {group}, so it would get 404; add one of them to the setting "
                "clients.{client}.services: {services}",
                client=client,
                group=group,
                services=", ".join(group_services),
            )
        )


def usable(
    format: str, client: str, services: Mapping[str, Any], scopes: Mapping[str, Any] | None, option: str = ""
) -> dict[str, Any]:
    """Return the services that the client may call with a program of this format; warn if the program may get 403.

    That is with a scope of some tools at a service that does not enforce scopes itself.

    `scopes` are the scopes of the client by service; None means that it may call everything. `option` selects the stack
    in suggested commands. Raises typer.BadParameter if no service is left.
    """
    if scopes is None:
        return dict(services)
    allowed = {name: service for name, service in services.items() if name in scopes}
    limited = [name for name in allowed if scopes[name] != "all" and not allowed[name].get("enforces_scopes")]
    if not limited:
        return allowed
    fix = f"./deploy.sh token create {client}-all --services {','.join(f'{name}=all' for name in limited)}{option}"
    names = ", ".join(limited)
    if format not in formats.LEGACY_TRANSPORT:
        _hint(
            tr(
                "{client} may call only some tools of {names}; only programs of MCP 2026-07-28 can do that, and "
                "an older {format} gets 403. For such a program create another client: {fix}",
                client=client,
                names=names,
                format=format,
                fix=fix,
            )
        )
        return allowed
    whole = {name: service for name, service in allowed.items() if name not in limited}
    refusal = tr(
        "{format} uses the legacy transport, which does not work with a scope of some tools only "
        "({names}). Create another client: {fix}",
        format=format,
        names=names,
        fix=fix,
    )
    if not whole:
        raise typer.BadParameter(refusal)
    _hint(refusal)
    return whole


def _hint(text: str) -> None:
    err.print(Text("→ " + text, style="yellow"))
