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


class EngineError(Exception):
    """The docker command failed; the message is its own."""


def docker(*arguments: str, timeout: float = 120, undisturbed: bool = False) -> str:
    """Standard output of `docker …`, which may take `timeout` seconds; `undisturbed` by a Ctrl-C on this terminal.
    Raises EngineError."""
    try:
        result = subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            timeout=timeout,
            check=False,
            encoding="utf-8",
            errors="replace",
            start_new_session=undisturbed,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"docker {arguments[0]}: {error}") from error
    if result.returncode:
        raise EngineError(result.stderr.strip() or f"docker {arguments[0]}: exit code {result.returncode}")
    return result.stdout


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


def published(container: dict[str, Any]) -> set[int]:
    """Host ports a container publishes."""
    bindings = (container.get("HostConfig", {}).get("PortBindings") or {}).values()
    return {int(item["HostPort"]) for items in bindings for item in items or [] if item.get("HostPort")}


def deployment_filter(deployment: str) -> str:
    """Filter for what one stack's state owns (see stack.components.defaults.labels)."""
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
    result = subprocess.run(
        ["docker", "cp", source, target], input=archive, capture_output=True, timeout=120, check=False
    )
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
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(f"docker logs: {error}") from error
    return result.stdout.decode("utf-8", errors="replace")
