"""Finds the loopback addresses of this machine on which ports are published."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

IPV4_LOOPBACK, IPV6_LOOPBACK = "127.0.0.1", "::1"
#: The beginnings of DOCKER_HOST for an engine on this machine.
_LOCAL_ENGINES = ("unix://", "npipe://", "fd://")


def loopback(env: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return 127.0.0.1, and ::1 if the engine is on this machine and the machine has IPv6.

    For `localhost`, many programs try ::1 first: on Windows, in Node 18 and in many containers.
    """
    return (IPV4_LOOPBACK, IPV6_LOOPBACK) if engine_is_here(env) and has_ipv6() else (IPV4_LOOPBACK,)


def engine_is_here(env: Mapping[str, str] = os.environ) -> bool:
    """Tell whether the engine that DOCKER_HOST names is on this machine."""
    host = env.get("DOCKER_HOST", "")
    return not host or host.startswith(_LOCAL_ENGINES)


def has_ipv6() -> bool:
    """Tell whether a program can listen on ::1 on this machine."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind((IPV6_LOOPBACK, 0))
    except OSError:
        return False
    return True
