"""Gets contracts of tools from an image, a running container, the sources, or a revision of the repository."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.engine import engine, images, isolated, processes
from cli.engine.errors import CommandFailed, EngineError
from cli.inventory.notices import Concerns
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.system.git import git
from infra.parts.data_volumes import DATA_FOLDER
from infra.parts.service import PRINT_LOCK, PYTHON, contract_command
from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec
from infra.services.contract import (
    LOCK_FILE,
    Contract,
    contract_text,
    listed_contract,
    listing_notes,
    parse_contract,
)
from infra.services.hidden_tools import hidden_tools
from messages import language, tr

SERVERS = ROOT / "mcp-servers"
#: A service has so many seconds to be imported with everything that it depends on.
TIMEOUT_SECONDS = 120

# Runs in a service's container and asks the server there, with the official client, as an agent would. Like the gateway
# it tells the server a scope; a server that does not know the header ignores it. The argument is the language of errors.
_ASK_THE_SERVER = """\
import asyncio, json, os, sys
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

async def main():
    http = httpx2.AsyncClient(headers={"X-Dyber-Scope": "all", "Accept-Language": sys.argv[1]}, timeout=30)
    address = f"http://127.0.0.1:{os.environ['PORT']}/mcp"
    async with Client(streamable_http_client(address, http_client=http)) as client:
        tools = (await client.list_tools()).tools
    print(json.dumps([tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]))

asyncio.run(main())
"""
_PRINT_CONTRACT = 'exec python -m dyber_kit.contract "$PACKAGE"'
_PRINT_CONTRACT_OF_SOURCES = ("sh", "-c", f"PYTHONPATH={isolated.FOLDER} {_PRINT_CONTRACT}")
#: Images of sources have this variable.
BRIDGE_FILE_VARIABLE = "DYBER_BRIDGE_FILE"
#: How long a container may take to tell about the server behind it.
READY_SECONDS = 10
# Asks the server behind the bridge, with the secrets in the container.
_LIST_NOW = (*PYTHON, "-m", "dyber_kit.bridge.contract", "--secrets")
#: Prints the answer of /ready in the language of the argument.
ASK_READY = (
    *PYTHON,
    "-c",
    "import http.client, os, sys\n"
    "connection = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=5)\n"
    "connection.request('GET', '/ready', headers={'Host': 'localhost', 'Accept-Language': sys.argv[1]})\n"
    "sys.stdout.buffer.write(connection.getresponse().read())",
)
_PRINT_BRIDGE_FILE = (*PYTHON, "-c", "print(open('/opt/dyber/app/bridge.json', encoding='utf-8').read())")


@dataclass(frozen=True)
class RunningTools:
    """The tools of a running server; `hidden` are those in its contract that a setting keeps from agents."""

    contract: Contract
    hidden: tuple[str, ...] = ()


def running_tools(container: Mapping[str, Any]) -> RunningTools:
    """Return the tools that the server in a running `container` shows to agents, and those that it hides.

    `container` is the engine's description of it. Raises StackError, EngineError.
    """
    name, identity = str(container["Name"]).lstrip("/"), str(container["Id"])
    environment = dict(str(variable).partition("=")[::2] for variable in container["Config"]["Env"])
    if BRIDGE_FILE_VARIABLE in environment:
        return _bridged_tools(identity, name, environment)
    output = _execute(identity, ["python", "-c", _ASK_THE_SERVER, language()], name)
    try:
        listed = listed_contract(json.loads(output.strip().splitlines()[-1]))
    except (ValueError, IndexError, KeyError, TypeError):
        raise _unknown(name, output) from None
    printed = _parsed(_execute(identity, ["sh", "-c", _PRINT_CONTRACT], name), name)
    return with_hidden(listed, printed, environment)


def _bridged_tools(container: str, name: str, environment: Mapping[str, str]) -> RunningTools:
    """Return the tools of a running bridge, which shows those of the lock in its image and no others."""
    printed = _parsed(_execute(container, PRINT_LOCK, name), name)
    output = _execute(container, _PRINT_BRIDGE_FILE, name)
    try:
        reviewed = printed.reviewed(json.loads(output)["tools"])
    except (ValueError, KeyError, TypeError):
        raise _unknown(name, output) from None
    return RunningTools(reviewed, hidden_tools(reviewed.read_only, environment))


def listed_now(container: Mapping[str, Any]) -> Contract | None:
    """Return what the remote server behind a running `container` lists now; None if it has no remote server.

    It is asked anew, with the secrets of the service. A program in the image could list other tools only by itself,
    and a second one might not fit into the container; /ready tells the names of what it lists unlike the lock.
    Raises StackError, also if the remote server does not answer, and EngineError.
    """
    name, identity = str(container["Name"]).lstrip("/"), str(container["Id"])
    if not is_foreign(container):
        return None
    try:
        is_remote = not json.loads(output := _execute(identity, _PRINT_BRIDGE_FILE, name)).get("command")
    except (ValueError, AttributeError):
        raise _unknown(name, output) from None
    return _parsed(_execute(identity, _LIST_NOW, name), name) if is_remote else None


def is_foreign(container: Mapping[str, Any]) -> bool:
    """Tell whether a container, as the engine describes it, runs a program of others or leads to one."""
    return any(str(variable).startswith(f"{BRIDGE_FILE_VARIABLE}=") for variable in container["Config"]["Env"])


def concerns(container: Mapping[str, Any]) -> Concerns:
    """Return what the bridge in a running `container` says of the server behind it; nothing if it does not answer."""
    try:
        output = processes.execute(str(container["Id"]), (*ASK_READY, language()), seconds=READY_SECONDS)
        document = json.loads(output)
        return Concerns(str(document.get("differs") or ""), str(document.get("unreachable") or ""))
    except (CommandFailed, EngineError, ValueError, AttributeError):
        return Concerns()


def concerns_of(deployment: str | None, services: Collection[str]) -> dict[str, Concerns]:
    """Return what is the matter with the servers behind services of others, by service, where anything is.

    Raises EngineError.
    """
    containers = {name: service_container(deployment, name) for name in services}
    running = {name: container for name, container in containers.items() if container and is_foreign(container)}
    if not running:
        return {}
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = dict(zip(running, pool.map(concerns, running.values()), strict=True))
    return {name: each for name, each in found.items() if each != Concerns()}


def with_hidden(listed: Contract, printed: Contract, environment: Mapping[str, str]) -> RunningTools:
    """Combine the tools that a server lists with those that its code has (`printed`) and its environment hides.

    A listed tool that differs from its code only by optional arguments that are missing, or that list their values,
    is taken from the code: a server leaves out the name of the account when only one account is configured, and lists
    the accounts when there are several, with the first as the default.
    """
    hidden = tuple(name for name in hidden_tools(printed.read_only, environment) if name not in listed.tools)
    shown = {name: _as_in_code(tool, printed.tools.get(name, tool)) for name, tool in listed.tools.items()}
    tools = {**shown, **{name: printed.tools[name] for name in hidden}}
    # The other offers are those of the code: no setting hides any.
    return RunningTools(Contract(tools, printed.others), hidden)


def _as_in_code(listed: Mapping[str, Any], printed: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `printed` if `listed` differs from it only as the names of accounts may; else `listed`."""
    schema, visible = printed.get("inputSchema", {}), listed.get("inputSchema", {}).get("properties", {})
    required = schema.get("required", [])
    expected = {}
    for name, rules in schema.get("properties", {}).items():
        if name in required:
            expected[name] = rules
        elif name in visible:
            values = visible[name].get("enum")
            is_account = values and "enum" not in rules
            expected[name] = {**rules, "enum": values, "default": values[0]} if is_account else rules
    return printed if listed == {**printed, "inputSchema": {**schema, "properties": expected}} else listed


def image_contract(image: str, spec: ServiceSpec) -> Contract:
    """Return the contract of a service's image on the engine, or in a registry; the image runs without a network.

    Raises StackError, EngineError.
    """
    printed = _parsed(_list_tools(image, spec, image), image)
    return printed.reviewed(spec.source.tools) if spec.source else printed


def bridged_contract(image: str, spec: ServiceSpec) -> tuple[Contract, str, tuple[str, ...]]:
    """Return the contract of a service with a source, as its program lists its tools in an image, the text of its lock
    file, and sentences about what was repaired or is not served. The program runs without a network, with placeholders
    for its secrets.

    Raises EngineError, and StackError if the program does not list its tools, and for a remote server, which only a
    container with a network can ask.
    """
    if spec.source is None or spec.source.kind == "url":
        raise StackError(
            tr("the tools of {service} can only be listed by asking its server", service=spec.name),
            tr("lock them anew: ./deploy.sh update-service {service}", service=spec.name),
        )
    output = _list_tools(image, spec, spec.name)
    return _parsed(output, spec.name).reviewed(spec.source.tools), contract_text(output), listing_notes(output)


def source_contract(spec: ServiceSpec) -> tuple[Contract, str]:
    """Return the contract of a service's sources as they are now, and the text of its lock file.

    They run in the service's image, which has what they depend on, without a network. Raises EngineError, and
    StackError, also when there is no image of the service on the engine.
    """
    image = _newest_image(spec.name)
    output = _print_contract(image, _PRINT_CONTRACT_OF_SOURCES, spec.environment, spec.name, _packed(spec))
    return _parsed(output, spec.name), contract_text(output)


def lock_at(revision: str, service: str) -> Contract | None:
    """Return the lock file of a service in a git revision; None when it has none there.

    Raises StackError for an unknown revision.
    """
    known = git(ROOT, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if known.returncode:
        raise StackError(
            tr("there is no such stack or git revision: {revision}", revision=revision),
            tr("for example: --against main, or --against test"),
        )
    shown = git(ROOT, "show", f"{revision}:./mcp-servers/{service}/{LOCK_FILE}")
    if shown.returncode:
        return None
    return parse_contract(shown.stdout, f"{revision}:mcp-servers/{service}/{LOCK_FILE}")


def service_container(deployment: str | None, service: str) -> dict[str, Any] | None:
    """Return the engine's description of a running container of a service; None when none runs.

    `deployment` is the label value of the state in use, None before the first deployment: another state may have a
    stack of the same name.
    """
    if deployment is None:
        return None
    filters = (engine.deployment_filter(deployment), f"label=dyber.service={service}")
    running = engine.containers(*filters, all_states=False)
    return running[0] if running else None


def _newest_image(service: str) -> str:
    image = images.newest(f"dyber-{service}")
    if image is None:
        raise StackError(
            tr("there is no image of {service} on the engine", service=service),
            tr("deploy it once: ./deploy.sh"),
        )
    return image


def _packed(spec: ServiceSpec) -> bytes:
    """Return the kit's and the service's packages as a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in (SERVERS / "kit" / "dyber_kit", *([spec.folder / spec.package] if spec.package else [])):
            archive.add(folder, arcname=folder.name, filter=_readable_by_all)
    return buffer.getvalue()


def _readable_by_all(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if Path(member.name).name == "__pycache__":
        return None
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def _list_tools(image: str, spec: ServiceSpec, source: str) -> str:
    """Return what a service's image prints of its tools. Raises StackError, EngineError."""
    if spec.source is None:
        return _print_contract(image, contract_command(spec), spec.environment, source)
    environment = {**spec.environment, "DYBER_LANGUAGE": language()}
    if not spec.data:
        return _print_contract(image, contract_command(spec), environment, source)
    # A program of others may look for its folder of data before it lists its tools.
    environment["DYBER_DATA"] = DATA_FOLDER
    return _print_contract(image, contract_command(spec), environment, source, data=spec.uid)


def _print_contract(
    image: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    source: str,
    files: bytes | None = None,
    data: int | None = None,
) -> str:
    """Return what a command prints in a new container of an image. Raises StackError, EngineError."""
    try:
        return isolated.run(image, command, environment, files, data=data, seconds=TIMEOUT_SECONDS)
    except CommandFailed as error:
        raise _unknown(source, str(error)) from None


def _execute(container: str, command: Sequence[str], source: str) -> str:
    """Return what a command prints in a running container. Raises StackError, EngineError."""
    try:
        return processes.execute(container, command, seconds=TIMEOUT_SECONDS)
    except CommandFailed as error:
        raise _unknown(source, str(error)) from None


def _parsed(output: str, source: str) -> Contract:
    try:
        return parse_contract(contract_text(output), source)
    except ConfigurationError:
        raise _unknown(source, output) from None


def _unknown(source: str, output: str) -> StackError:
    """Return the error for an image, container or service that did not tell its tools but wrote `output`."""
    words = "\n".join(output.strip().splitlines()[-5:])
    return StackError(
        tr("{what}: its tools could not be read\n{words}", what=source, words=words),
        tr("if it needs new dependencies, build its image first: ./deploy.sh deploy; else mend what is said above"),
    )
