"""What every container of ours has in common: labels, confinement, logs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.settings.subnets import Subnets

#: Changes the provider would report as "updated" without applying them.
REPLACE_ON_CHANGES = ["mounts", "tmpfs", "healthcheck"]
#: Open files a container may have: 5,000 streams through the gateway hold 10,000.
NOFILE = 16384
#: The /tmp of containers that need little of it.
SMALL_TMP = {"/tmp": "rw,nosuid,nodev,noexec,size=16m,mode=1777"}
#: Seconds between checks of a container that is not known to be healthy, and of one that is.
CHECK_SECONDS, HEALTHY_CHECK_SECONDS = 2, 30
#: Arguments: the check. Remembers in the container's own /tmp that it was healthy, and then takes its time.
_CHECK = f"""\
mark=/tmp/.healthy
[ ! -e $mark ] || sleep {HEALTHY_CHECK_SECONDS - CHECK_SECONDS}
if "$@"; then : > $mark; else rm -f $mark; exit 1; fi"""
#: Restart policy of what is meant to run. With `unless-stopped` nothing comes back when the engine was killed: the next
#: engine stops the containers that ran on, and then takes them for stopped by hand.
RESTART = "always"
SECCOMP_PROFILES = Path(__file__).with_name("seccomp")


@dataclass(frozen=True)
class StackIdentity:
    """Identifies the stack that containers, networks and volumes belong to, for their labels and address ranges.

    `deployment` is an id kept in the stack's state, which tells the stacks of two states on one engine apart; what a
    killed run left is found by it. `subnets` are the address ranges of the stack's networks.
    """

    stack: str
    deployment: pulumi.Input[str]
    subnets: Subnets = field(default_factory=Subnets)

    def labels(self, service: str) -> dict[str, pulumi.Input[str]]:
        """Stable labels, as a changed label replaces what carries it."""
        return {
            "dyber.project": "dyber",
            "dyber.stack": self.stack,
            "dyber.service": service,
            "dyber.deployment": self.deployment,
        }


def container_labels(identity: StackIdentity, service: str) -> list[docker.ContainerLabelArgs]:
    """Labels of a container."""
    return [docker.ContainerLabelArgs(label=key, value=value) for key, value in identity.labels(service).items()]


def network_arguments(identity: StackIdentity, service: str, subnet: str | None) -> dict[str, Any]:
    """What every network has: labels, and its range of addresses; None: the engine chooses one."""
    labels = [docker.NetworkLabelArgs(label=key, value=value) for key, value in identity.labels(service).items()]
    return {
        "labels": labels,
        "ipam_configs": [docker.NetworkIpamConfigArgs(subnet=subnet)] if subnet else None,
    }


def volume_labels(identity: StackIdentity, service: str) -> list[docker.VolumeLabelArgs]:
    """Labels of a volume. A changed label replaces the volume, so nothing that could change is here."""
    stable = {"dyber.project": "dyber", "dyber.stack": identity.stack, "dyber.service": service}
    return [docker.VolumeLabelArgs(label=key, value=value) for key, value in stable.items()]


def healthcheck(*command: str, start_period: str | None = None) -> docker.ContainerHealthcheckArgs:
    """`command`, which ends within a few seconds, tells whether a container is healthy. It runs every 2 s until it
    succeeds, and then every 30 s: for each check the engine starts a process in the container, about 44 ms of CPU
    (bench/health_checks.py), which a fleet feels. Engines before 25 have no start interval of their own for this.
    """
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", "/bin/sh", "-c", _CHECK, "check", *command],
        interval=f"{CHECK_SECONDS}s",
        timeout=f"{HEALTHY_CHECK_SECONDS + 10}s",
        retries=5,
        start_period=start_period,
    )


def security_options(seccomp: str | None) -> list[str]:
    """No new privileges, and the system calls of a profile in stack/seccomp (None: of the engine's own profile)."""
    options = ["no-new-privileges:true"]
    if seccomp:
        profile = json.loads((SECCOMP_PROFILES / f"{seccomp}.json").read_text(encoding="utf-8"))
        options.append("seccomp=" + json.dumps(profile, separators=(",", ":")))
    return options


def confined(*, uid: int, memory_mib: int, cpus: float, processes: int, seccomp: str | None = None) -> dict[str, Any]:
    """Arguments that confine a container: non-root, no capabilities, no new privileges, bounded.

    `processes` bounds the processes and threads of `uid` on the whole engine (RLIMIT_NPROC); each service has a uid
    of its own. The provider has no argument for the cgroup's pids limit.
    """
    return {
        "user": f"{uid}:{uid}",
        "capabilities": docker.ContainerCapabilitiesArgs(drops=["ALL"]),
        "security_opts": security_options(seccomp),
        "memory": memory_mib,
        # Equal to `memory`: no swap, and no difference on every refresh.
        "memory_swap": memory_mib,
        "cpus": str(float(cpus)),
        "ulimits": [
            docker.ContainerUlimitArgs(name="nofile", soft=NOFILE, hard=NOFILE),
            docker.ContainerUlimitArgs(name="nproc", soft=processes, hard=processes),
        ],
        "log_driver": "json-file",
        "log_opts": {"max-size": "10m", "max-file": "3"},
    }
