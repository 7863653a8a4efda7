"""Understands `docker run` and its like: what becomes of each option, and which options are refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from cli.services.importing import package_names
from cli.services.importing.commands.options import Options
from cli.services.importing.placeholders import DATA
from cli.services.importing.requests import Kind, RefusedError, SourceRequest, remark
from messages import mark

#: Options without a meaning for a service, or whose strict side every service has anyway.
_PLAIN = (
    *("i", "interactive", "t", "tty", "rm", "init", "d", "detach", "q", "quiet", "read-only", "no-healthcheck"),
    *("sig-proxy", "P", "publish-all", "privileged", "oom-kill-disable", "disable-content-trust"),
)
_IGNORED_VALUES = (
    *("pull", "platform", "name", "l", "label", "h", "hostname", "a", "attach", "m", "memory", "cpus", "cap-drop"),
    *(
        "tmpfs",
        "stop-timeout",
        "stop-signal",
        "restart",
        "log-driver",
        "log-opt",
        "pids-limit",
        "memory-swap",
        "ulimit",
    ),
    *("shm-size", "cpu-shares", "label-file", "cidfile", "domainname", "detach-keys", "w", "workdir"),
)
_REACH_OTHERS = ("add-host", "dns", "dns-search", "link", "ip", "network-alias")
_MORE_RIGHTS = (
    *("cap-add", "device", "pid", "ipc", "userns", "uts", "cgroupns", "gpus", "runtime", "sysctl", "group-add"),
    *("device-cgroup-rule", "cgroup-parent", "volumes-from", "security-opt", "isolation"),
)
_USED_VALUES = (
    "e",
    "env",
    "env-file",
    "v",
    "volume",
    "mount",
    "network",
    "net",
    "u",
    "user",
    "entrypoint",
    "p",
    "publish",
)
_ENGINE_SOCKETS = re.compile(r"(docker|podman|containerd|crio)[\w.-]*\.sock|docker_engine", re.IGNORECASE)

#: Adds a variable with its value, or None for the value that it has on the user's machine.
AddVariable = Callable[[str, str | None], None]
#: Returns the variables in a file of the user's machine, or None if it cannot be read.
ReadVariables = Callable[[str], Mapping[str, str] | None]


def docker_run(
    program: str, words: Sequence[str], request: SourceRequest, add_variable: AddVariable, read_variables: ReadVariables
) -> None:
    """Read what follows `docker run`. Raises RefusedError, which names the option."""
    options = Options(
        program,
        words,
        with_value=(*_IGNORED_VALUES, *_REACH_OTHERS, *_MORE_RIGHTS, *_USED_VALUES),
        without_value=_PLAIN,
    )
    folders: list[str] = []
    for option in options:
        name, value = option.name, option.value
        _refuse_rights(program, name, value)
        if name in ("e", "env"):
            variable, equals, text = value.partition("=")
            add_variable(variable, text if equals else None)
        elif name == "env-file":
            _read_file(value, request, add_variable, read_variables)
        elif name in ("v", "volume", "mount"):
            folders += _mounted(program, name, value)
        elif name in ("network", "net"):
            _network(program, value, request)
        elif name in ("u", "user"):
            if value.split(":")[0] in ("root", "0"):
                raise _more_rights(program, f"--user {value.split(':')[0]}")
        elif name == "entrypoint":
            request.command = value
        elif name in ("p", "publish", "publish-all", "P"):
            request.note(mark("published ports are not taken over: callers reach the service through the gateway"))
        elif name in ("w", "workdir"):
            request.note(mark("the working directory is not taken over"))
        elif name in _REACH_OTHERS:
            request.note(mark("option --{option} is not taken over: a service reaches no other container"), option=name)
    if not options.rest:
        raise RefusedError(
            remark(mark("{program} names no image"), program=program),
            remark(mark("complete the command line, or add the server with --from {example}"), example="oci:IMAGE"),
        )
    image = package_names.oci(options.rest.pop(0))
    request.kind, request.package, request.version = Kind.OCI, image.name, image.version
    request.arguments = tuple(_in_the_volume(argument, folders) for argument in options.rest)
    if folders:
        request.data = True
        request.note(
            mark("the service sees no folder of this machine; its data volume is in place of {folders}"),
            folders=", ".join(folders),
        )
        request.environment = {
            name: _in_the_volume(value, folders, "/data") for name, value in request.environment.items()
        }


def _refuse_rights(program: str, option: str, value: str) -> None:
    """Raises RefusedError for an option that gives a container more rights than services have."""
    is_harmless = (
        (option == "privileged" and value.lower() in ("false", "0"))
        or (option == "security-opt" and re.fullmatch(r"no-new-privileges([:=]true)?", value))
        or (option in ("ipc", "cgroupns") and value == "private")
    )
    if option in (*_MORE_RIGHTS, "privileged") and not is_harmless:
        raise _more_rights(program, f"--{option}")


def _mounted(program: str, option: str, value: str) -> list[str]:
    """Return the folders in the container that a mount fills."""
    if _ENGINE_SOCKETS.search(value):
        raise RefusedError(
            remark(mark("{program} gives the server the engine's socket, and so the whole machine"), program=program),
            remark(mark("no service gets it; look for a server that does not need it")),
        )
    if option == "mount":
        parts = dict(part.partition("=")[::2] for part in value.split(","))
        target = parts.get("target") or parts.get("dst") or parts.get("destination") or ""
    else:
        # A drive letter of Windows is followed by a colon too.
        pieces = re.sub(r"^[A-Za-z]:(?=[\\/])", "", value).split(":")
        target = pieces[1] if len(pieces) > 1 else pieces[0]
    if not target.startswith("/"):
        raise RefusedError(
            remark(
                mark("the mount in {program} {option} is not understood"),
                program=program,
                option=f"{'-' * min(len(option), 2)}{option}",
            ),
            remark(mark("write it like {example}"), example="-v FOLDER:/data"),
        )
    return [target.rstrip("/") or "/"]


def _network(program: str, value: str, request: SourceRequest) -> None:
    if value == "host" or value.startswith("container:"):
        raise _more_rights(program, f"--network {value.partition(':')[0]}")
    if value == "none":
        request.internet = False
    elif value not in ("bridge", "default"):
        request.note(
            mark("option --{option} is not taken over: a service reaches no other container"), option="network"
        )


def _read_file(path: str, request: SourceRequest, add_variable: AddVariable, read_variables: ReadVariables) -> None:
    variables = read_variables(path)
    if variables is None:
        request.note(mark("the file with variables could not be read; give its variables with --set"))
    for name, value in (variables or {}).items():
        add_variable(name, value)


def _in_the_volume(text: str, folders: Sequence[str], volume: str = DATA) -> str:
    """Return `text` with a path below one of the mounted folders moved to the data volume."""
    for folder in sorted(folders, key=len, reverse=True):
        start, equals, path = text.rpartition("=") if text.startswith("-") else ("", "", text)
        if path == folder or path.startswith(folder.rstrip("/") + "/"):
            return f"{start}{equals}{volume}{path[len(folder.rstrip('/')) :]}".rstrip("/")
    return text


def _more_rights(program: str, option: str) -> RefusedError:
    return RefusedError(
        remark(mark("{program} {option} gives the server rights that no service has"), program=program, option=option),
        remark(mark("remove it if the server runs without it; otherwise this server cannot be a service")),
    )
