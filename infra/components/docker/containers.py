"""Declares the networks, servers and tasks of infra.parts on a Docker engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.components.docker import defaults
from infra.components.docker.images import Image
from infra.parts.containers import STAGING, Confinement, Mount, Network, Probe, Server, Task, TemporaryFolder


def declare_network(
    network: Network, identity: defaults.StackIdentity, opts: pulumi.ResourceOptions, **options: Any
) -> docker.Network:
    """Declare a network; `options` are further arguments of docker.Network."""
    arguments = defaults.network_arguments(identity, network.label, network.subnet)
    return docker.Network(network.name, **arguments, **options, opts=opts)


def declare_server(
    server: Server,
    identity: defaults.StackIdentity,
    image: Image,
    opts: pulumi.ResourceOptions,
    *,
    networks: Mapping[str, pulumi.Input[str]] | None = None,
    volumes: Mapping[str, pulumi.Input[str]] | None = None,
    environment: Iterable[pulumi.Input[str]] = (),
    command: pulumi.Input[Sequence[str]] | None = None,
    depends_on: Iterable[pulumi.Resource] = (),
    **options: Any,
) -> docker.Container:
    """Declare the container of `server`.

    `networks` and `volumes` are their names on the engine, by the names that `server` uses. `environment` are further
    variables, and `command` replaces the server's command, for values that are known only once other resources exist.
    `depends_on` are resources that must exist first, besides the image. `options` are further arguments of
    docker.Container.
    """
    variables = [*(f"{key}={value}" for key, value in server.environment), *environment]
    waiting = {"wait": True, "wait_timeout": server.wait_seconds} if server.wait_seconds else {"wait": False}
    return docker.Container(
        server.name,
        image=image.reference,
        command=command if command is not None else list(server.command) or None,
        envs=variables or None,
        labels=defaults.container_labels(identity, server.label),
        network_mode=None if server.memberships else "none",
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(
                name=(networks or {})[membership.network], aliases=list(membership.aliases) or None
            )
            for membership in server.memberships
        ]
        or None,
        mounts=None if volumes is None else [mount(item, volumes[item.volume]) for item in server.mounts],
        read_only=True,
        tmpfs=temporary_folders(server.temporary),
        healthcheck=healthcheck(server.probe),
        stop_signal=server.stop.signal,
        # The provider ignores stop_timeout when it deletes a container, so both are needed to let running calls end.
        stop_timeout=server.stop.seconds,
        destroy_grace_seconds=server.stop.seconds,
        restart=defaults.RESTART,
        must_run=True,
        **waiting,
        **confinement(server.confinement),
        **options,
        opts=pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                depends_on=[*image.built_by, *depends_on],
                delete_before_replace=None if server.replaced is None else server.replaced == "old first",
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        ),
    )


def declare_task(
    task: Task,
    identity: defaults.StackIdentity,
    image: Image,
    opts: pulumi.ResourceOptions,
    *,
    volumes: Mapping[str, pulumi.Input[str]] | None = None,
    command: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None,
    network_mode: pulumi.Input[str] = "none",
    **options: Any,
) -> docker.Container:
    """Declare the container of `task`; its output is its outcome (one_shot.outcome). Arguments: see declare_server."""
    return docker.Container(
        task.name,
        image=image.reference,
        command=command if command is not None else list(task.command),
        envs=[f"{key}={value}" for key, value in task.environment] or None,
        labels=defaults.container_labels(identity, task.label),
        network_mode=network_mode,
        mounts=None if volumes is None else [mount(item, volumes[item.volume]) for item in task.mounts],
        read_only=True if task.temporary else None,
        tmpfs=temporary_folders(task.temporary) or None,
        must_run=False,
        attach=True,
        logs=True,
        restart="no",
        **confinement(task.confinement),
        **options,
        opts=opts,
    )


def staged(path: str, content: pulumi.Input[str]) -> docker.ContainerUploadArgs:
    """Return a file for a task, in the folder STAGING."""
    return docker.ContainerUploadArgs(file=f"{STAGING}/{path}", content=content, permissions="0444")


def mount(item: Mount, volume: pulumi.Input[str]) -> docker.ContainerMountArgs:
    """Return the mount of a volume, whose name on the engine is `volume`."""
    return docker.ContainerMountArgs(target=item.folder, type="volume", source=volume, read_only=item.read_only)


def confinement(limits: Confinement) -> dict[str, Any]:
    """Return the arguments that confine a container."""
    return defaults.confined(
        uid=limits.uid,
        memory_mib=limits.memory_mib,
        cpus=limits.cpus,
        processes=limits.processes,
        seccomp=limits.seccomp,
    )


def temporary_folders(folders: Iterable[TemporaryFolder]) -> dict[str, str]:
    """Return the argument `tmpfs` of docker.Container."""
    return {folder.path: _temporary_options(folder) for folder in folders}


def _temporary_options(folder: TemporaryFolder) -> str:
    programs = "" if folder.programs else "noexec,"
    owner = "" if folder.owner is None else f",uid={folder.owner},gid={folder.owner}"
    return f"rw,nosuid,nodev,{programs}size={folder.mib}m,mode=1777{owner}"


def healthcheck(probe: Probe) -> docker.ContainerHealthcheckArgs:
    """Return the argument `healthcheck` of docker.Container."""
    start = None if probe.start_seconds is None else _duration(probe.start_seconds)
    if probe.steady:
        return docker.ContainerHealthcheckArgs(
            tests=["CMD", *probe.command], interval="30s", timeout="10s", retries=3, start_period=start
        )
    return defaults.healthcheck(*probe.command, start_period=start, has_shell=probe.has_shell)


def _duration(seconds: int) -> str:
    """Return seconds as the engine writes them (`30s`, `2m0s`), because another form would be shown as a change."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
