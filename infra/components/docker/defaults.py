"""Defines the arguments that all containers of the system share: labels, confinement, logs, health checks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.settings.subnets import Subnets

#: Properties whose changes the provider reports as updated without applying them, so that they must replace.
REPLACE_ON_CHANGES = ["mounts", "tmpfs", "healthcheck"]
#: How many files a container may have open: 5,000 streams through the gateway need 10,000.
NOFILE = 16384
#: The /tmp of containers that need little space in it.
SMALL_TMP = {"/tmp": "rw,nosuid,nodev,noexec,size=16m,mode=1777"}
#: Seconds between checks of a container that has not been healthy yet, and of a healthy container.
CHECK_SECONDS, HEALTHY_CHECK_SECONDS = 2, 30
#: Runs the check in its arguments. Once a check has succeeded, which a file in /tmp records, it first sleeps.
_CHECK = f"""\
mark=/tmp/.healthy
[ ! -e $mark ] || sleep {HEALTHY_CHECK_SECONDS - CHECK_SECONDS}
if "$@"; then : > $mark; else rm -f $mark; exit 1; fi"""
#: The restart policy of containers that keep running. With `unless-stopped` they would not start again after the engine
#: was killed: the next engine stops the containers that are still running, and then treats them as stopped by a person.
RESTART = "always"
SECCOMP_PROFILES = Path(__file__).with_name("seccomp")


@dataclass(frozen=True)
class StackIdentity:
    """Identifies the stack that containers, networks and volumes belong to, for their labels and address ranges.

    `deployment` is an id in the stack's state. It distinguishes stacks of the same name from different states on one
    engine, and finds what a killed run left behind. `subnets` are the address ranges of the stack's networks.
    """

    stack: str
    deployment: pulumi.Input[str]
    subnets: Subnets = field(default_factory=Subnets)

    def labels(self, service: str) -> dict[str, pulumi.Input[str]]:
        """Return labels that never change, because a changed label replaces the resource."""
        return {
            "dyber.project": "dyber",
            "dyber.stack": self.stack,
            "dyber.service": service,
            "dyber.deployment": self.deployment,
        }


def container_labels(identity: StackIdentity, service: str) -> list[docker.ContainerLabelArgs]:
    """Return the labels of a container."""
    return [docker.ContainerLabelArgs(label=key, value=value) for key, value in identity.labels(service).items()]


def network_arguments(identity: StackIdentity, service: str, subnet: str | None) -> dict[str, Any]:
    """Return the arguments of every network: labels, and its address range; with None the engine chooses one."""
    labels = [docker.NetworkLabelArgs(label=key, value=value) for key, value in identity.labels(service).items()]
    return {
        "labels": labels,
        "ipam_configs": [docker.NetworkIpamConfigArgs(subnet=subnet)] if subnet else None,
    }


def volume_labels(identity: StackIdentity, service: str) -> list[docker.VolumeLabelArgs]:
    """Return the labels of a volume. A changed label replaces the volume, so all of them are constant."""
    stable = {"dyber.project": "dyber", "dyber.stack": identity.stack, "dyber.service": service}
    return [docker.VolumeLabelArgs(label=key, value=value) for key, value in stable.items()]


def healthcheck(
    *command: str, start_period: str | None = None, has_shell: bool = True
) -> docker.ContainerHealthcheckArgs:
    """Return a health check with `command`, which must end within a few seconds; without a shell, it rests itself.

    The check runs every 2 s until it succeeds, and then every 30 s, because each check takes about 44 ms of CPU to
    start a process in the container (bench/health_checks.py), which adds up over many containers. Docker engines before
    version 25 have no start interval, which would do the same.
    """
    rest = HEALTHY_CHECK_SECONDS - CHECK_SECONDS
    resting = ["/bin/sh", "-c", _CHECK, "check", *command] if has_shell else [*command, str(rest)]
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", *resting],
        interval=f"{CHECK_SECONDS}s",
        timeout=f"{HEALTHY_CHECK_SECONDS + 10}s",
        retries=5,
        start_period=start_period,
    )


def security_options(seccomp: str | None) -> list[str]:
    """Return the security options: no new privileges, and a profile of system calls, None for the engine's own."""
    options = ["no-new-privileges:true"]
    if seccomp:
        profile = json.loads((SECCOMP_PROFILES / f"{seccomp}.json").read_text(encoding="utf-8"))
        options.append("seccomp=" + json.dumps(profile, separators=(",", ":")))
    return options


def confined(*, uid: int, memory_mib: int, cpus: float, processes: int, seccomp: str | None = None) -> dict[str, Any]:
    """Return the arguments that confine a container: no root, no capabilities, no new privileges, and limits.

    `processes` limits the processes and threads of `uid` on the whole engine (RLIMIT_NPROC), so each service has its
    own uid. The provider has no argument for the cgroup's pids limit.
    """
    return {
        "user": f"{uid}:{uid}",
        "capabilities": docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        "security_opts": security_options(seccomp),
        "memory": memory_mib,
        # Equal to `memory` means no swap; without it every refresh would show a difference.
        "memory_swap": memory_mib,
        "cpus": str(float(cpus)),
        "ulimits": [
            docker.ContainerUlimitArgs(name="nofile", soft=NOFILE, hard=NOFILE),
            docker.ContainerUlimitArgs(name="nproc", soft=processes, hard=processes),
        ],
        "log_driver": "json-file",
        "log_opts": {"max-size": "10m", "max-file": "3"},
    }
