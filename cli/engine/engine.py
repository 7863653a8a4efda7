"""Questions to the Docker engine and the clean-up of what a killed run left behind, through the docker command.

Only containers and networks with our labels are ever touched.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from typing import Any

from tenacity import retry, retry_if_exception_type, stop_after_attempt

from cli.system import programs
from cli.system.programs import ProgramError
from toolchain.language import tr


class EngineError(Exception):
    """The docker command failed; the message is its own. `next_step`: what to do, where that is known."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step or tr("运行 ./deploy.sh doctor", "run ./deploy.sh doctor")


def docker(*arguments: str, timeout: float = 120) -> str:
    """Standard output of `docker …`, which may take `timeout` seconds. Raises EngineError."""
    result: subprocess.CompletedProcess[str] = ask(*arguments, timeout=timeout, encoding="utf-8", errors="replace")
    if result.returncode:
        raise EngineError(result.stderr.strip() or f"docker {arguments[0]}: exit code {result.returncode}")
    return result.stdout


def ask(*arguments: str, timeout: float, **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run `docker …` and return its exit code and output, whatever the exit code. Raises EngineError if it does not
    end."""
    try:
        return programs.run(["docker", *arguments], capture_output=True, timeout=timeout, **options)
    except ProgramError as error:
        raise EngineError(error.message, error.next_step) from None


# A container may go between the list and the look at it.
@retry(retry=retry_if_exception_type(EngineError), stop=stop_after_attempt(3), reraise=True)
def containers(*filters: str, all_states: bool = True) -> list[dict[str, Any]]:
    """`docker inspect` of the containers that match `filters` (such as `label=dyber.stack=dev`)."""
    arguments = ["ps", "--quiet", "--no-trunc", *(["--all"] if all_states else [])]
    for item in filters:
        arguments += ["--filter", item]
    ids = docker(*arguments).split()
    return list(json.loads(docker("inspect", "--type", "container", *ids))) if ids else []


def labelled_networks(*filters: str) -> list[tuple[str, str, str]]:
    """(deployment, id, name) of the networks that match `filters` and carry our label."""
    chosen = [word for item in filters for word in ("--filter", item)]
    shown = '{{.Label "dyber.deployment"}} {{.ID}} {{.Name}}'
    found = []
    for line in docker("network", "ls", "--no-trunc", *chosen, "--format", shown).splitlines():
        deployment, identity, name = line.split(" ", 2)
        found.append((deployment, identity, name))
    return found


def images() -> dict[str, str]:
    """Ids by name and tag, of all images."""
    lines = docker("image", "ls", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def published(container: dict[str, Any]) -> set[tuple[str, int]]:
    """(address, port) of the host's TCP ports that a container publishes. While it runs they are the real ones, also
    of what asked for any port of a range; '' is every address."""
    real = container.get("NetworkSettings", {}).get("Ports")
    bindings = real or container.get("HostConfig", {}).get("PortBindings") or {}
    return {
        (item.get("HostIp", ""), int(item["HostPort"]))
        for port, items in bindings.items()
        for item in items or []
        if not port.endswith(("/udp", "/sctp")) and str(item.get("HostPort", "")).isdigit()
    }


def deployment_filter(deployment: str) -> str:
    """Filter for what one stack's state owns (see infra.components.docker.defaults.labels)."""
    return f"label=dyber.deployment={deployment}"


def copy_out(container: str, folder: str) -> bytes:
    """What is in a folder of a container, running or not, as a tar archive. Raises EngineError."""
    return _copy(f"{container}:{folder}/.", "-")


def copy_in(container: str, folder: str, archive: bytes) -> None:
    """Lay a tar archive over what is in a folder of a container, as its own user's. Raises EngineError."""
    user = docker("inspect", "--format", "{{.Config.User}}", container).strip().partition(":")[0]
    own = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as before, tarfile.open(fileobj=own, mode="w") as after:
        for member in before:
            member.uid = member.gid = int(user or 0)
            after.addfile(member, before.extractfile(member) if member.isfile() else None)
    _copy("-", f"{container}:{folder}", own.getvalue())


def _copy(source: str, target: str, archive: bytes = b"") -> bytes:
    result: subprocess.CompletedProcess[bytes] = ask("cp", source, target, input=archive, timeout=120)
    if result.returncode:
        raise EngineError(result.stderr.decode(errors="replace").strip())
    return result.stdout


def sweep(deployment: str, known_ids: set[str]) -> list[str]:
    """Remove containers and networks of `deployment` that its state does not know: leftovers of a killed run.

    Returns their names. Volumes are never removed.
    """
    removed = []
    for container in containers(deployment_filter(deployment)):
        if container["Id"] not in known_ids:
            docker("rm", "--force", container["Id"])
            removed.append(container["Name"].lstrip("/"))
    for _, network, name in labelled_networks(deployment_filter(deployment)):
        if network not in known_ids:
            docker("network", "rm", network)
            removed.append(name)
    return removed


def log_tail(container: str, lines: int) -> str:
    """The last lines a container wrote, of both its streams. Raises EngineError."""
    command = ["docker", "logs", "--tail", str(lines), container]
    try:
        result = programs.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    except ProgramError as error:
        raise EngineError(error.message, error.next_step) from None
    return str(result.stdout.decode("utf-8", errors="replace"))
