"""Where contracts of tools come from: an image, a running container, the sources, a revision of the repository."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.engine import engine
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.system.git import git
from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec
from infra.services.contract import LOCK_FILE, Contract, contract_text, listed_contract, parse_contract
from infra.services.hidden_tools import hidden_tools
from messages import tr

SERVERS = ROOT / "mcp-servers"
#: Importing a service and everything it depends on.
TIMEOUT_SECONDS = 120

# Runs in a service's container: what the process that serves there tells an agent, over the official client.
_ASK_THE_SERVER = """\
import asyncio, json, os
from mcp import Client

async def main():
    async with Client(f"http://127.0.0.1:{os.environ['PORT']}/mcp") as client:
        tools = (await client.list_tools()).tools
    print(json.dumps([tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]))

asyncio.run(main())
"""
_PRINT_CONTRACT = 'exec python -m dyber_kit.contract "$PACKAGE"'
_UNPACK = "mkdir /tmp/sources && tar -x -C /tmp/sources && PYTHONPATH=/tmp/sources " + _PRINT_CONTRACT


@dataclass(frozen=True)
class RunningTools:
    """The tools of a running server; `hidden` are those in its contract that a setting keeps from agents."""

    contract: Contract
    hidden: tuple[str, ...] = ()


def running_tools(container: Mapping[str, Any]) -> RunningTools:
    """Return the tools that the server in a running `container` (as `docker inspect` describes it) shows to agents, and
    those it hides.

    Raises StackError.
    """
    name, identity = str(container["Name"]).lstrip("/"), str(container["Id"])
    output = _docker("exec", "--interactive", identity, "python", "-", given=_ASK_THE_SERVER.encode())
    try:
        listed = listed_contract(json.loads(output.strip().splitlines()[-1]))
    except (ValueError, IndexError, KeyError, TypeError):
        raise _silent(name, output) from None
    printed = _parsed(_docker("exec", identity, "sh", "-c", _PRINT_CONTRACT, given=b""), name)
    environment = dict(str(variable).partition("=")[::2] for variable in container["Config"]["Env"])
    return with_hidden(listed, printed, environment)


def with_hidden(listed: Contract, printed: Contract, environment: Mapping[str, str]) -> RunningTools:
    """Combine the tools that a server lists with those that its code has (`printed`) and its environment hides."""
    hidden = tuple(name for name in hidden_tools(printed.read_only, environment) if name not in listed.tools)
    tools = {**listed.tools, **{name: printed.tools[name] for name in hidden}}
    # The other offers are those of the code: no setting hides any.
    return RunningTools(Contract(tools, printed.others), hidden)


def image_contract(image: str, environment: Mapping[str, str] | None = None) -> Contract:
    """The contract of an image on the engine, or in a registry, run without a network. Raises StackError."""
    output = _run(image, _PRINT_CONTRACT, environment or {})
    return _parsed(output, image)


def source_contract(spec: ServiceSpec) -> tuple[Contract, str]:
    """The contract of a service's sources as they are now, and the text of its lock file.

    They run in the service's image, which has what they depend on, without a network. Raises StackError, also when
    there is no image of the service on the engine.
    """
    output = _run(_newest_image(spec.name), _UNPACK, spec.environment, given=_packed(spec))
    return _parsed(output, spec.name), contract_text(output)


def lock_at(revision: str, service: str) -> Contract | None:
    """The lock file of a service in a git revision; None where there is none. Raises StackError for an unknown one."""
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
    """`docker inspect` of a running container of a service; None when none runs. `deployment` is the label value of
    the state in use (None before the first deployment): another state may have a stack of the same name."""
    if deployment is None:
        return None
    filters = (engine.deployment_filter(deployment), f"label=dyber.service={service}")
    found = engine.containers(*filters, all_states=False)
    return found[0] if found else None


def _newest_image(service: str) -> str:
    listed = engine.docker("image", "ls", "--quiet", "--no-trunc", f"dyber-{service}").split()
    if not listed:
        raise StackError(
            tr("there is no image of {service} on the engine", service=service),
            tr("deploy it once: ./deploy.sh"),
        )
    return listed[0]


def _packed(spec: ServiceSpec) -> bytes:
    """The kit's and the service's packages as a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in (SERVERS / "kit" / "dyber_kit", spec.folder / spec.package):
            archive.add(folder, arcname=folder.name, filter=_readable_by_all)
    return buffer.getvalue()


def _readable_by_all(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if Path(member.name).name == "__pycache__":
        return None
    member.mode = 0o755 if member.isdir() else 0o644
    return member


def _run(image: str, command: str, environment: Mapping[str, str], given: bytes = b"") -> str:
    variables = [part for key, value in sorted(environment.items()) for part in ("--env", f"{key}={value}")]
    return _docker(
        "run", "--rm", "--interactive", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL",
        "--security-opt", "no-new-privileges:true", "--memory", "1g", *variables, image, "sh", "-c", command,
        given=given,
    )  # fmt: skip


def _docker(*arguments: str, given: bytes) -> str:
    """Standard output of `docker …`, fed with `given`. Raises StackError with the command's last words."""
    done = engine.ask(*arguments, input=given, timeout=TIMEOUT_SECONDS)
    if done.returncode:
        raise _silent(arguments[0], done.stderr.decode(errors="replace"))
    return str(done.stdout.decode())


def _parsed(output: str, source: str) -> Contract:
    try:
        return parse_contract(contract_text(output), source)
    except ConfigurationError:
        raise _silent(source, output) from None


def _silent(what: str, output: str) -> StackError:
    words = "\n".join(output.strip().splitlines()[-5:])
    return StackError(
        tr("{what}: its tools could not be learned\n{words}", what=what, words=words),
        tr("if it needs new dependencies, build its image first: ./deploy.sh deploy; else mend what is said above"),
    )
