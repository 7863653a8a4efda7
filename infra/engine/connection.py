"""Connects Docker's SDK to the engine that the docker command uses: by a socket, TCP, TLS or SSH.

The SDK takes a third of a second to import, so the command imports this module where it first asks the engine.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

from docker import APIClient
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.utils import kwargs_from_env
from requests.utils import get_environ_proxies, select_proxy

from infra.engine.dialling import DialAdapter, StartProgram, start_program

#: The variables that choose an engine.
VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG")
#: Returns the proxy through which a URL is reached; None means directly.
FindProxy = Callable[[str], str | None]
#: Before each part of what a command writes: the number of its stream, three unused bytes, and the size of the part.
_PART_HEAD = struct.Struct(">BxxxL")
_STANDARD_ERROR = 2


class UnknownContext(Exception):
    """There is no docker context of this `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no docker context {name!r}")
        self.name = name


def environment_proxy(url: str) -> str | None:
    """Return the proxy that the environment names for a URL."""
    return select_proxy(url, get_environ_proxies(url))


class Client(APIClient):
    """An engine's client that uses the proxy that the docker command would use, and no other setting for web pages.

    `adapter` sends all requests, where the address is one that the SDK cannot reach itself.
    """

    def __init__(self, find_proxy: FindProxy, adapter: DialAdapter | None = None, **options: Any) -> None:
        # The SDK asks the engine for its version at once, so these are needed before.
        self._find_proxy = find_proxy
        self._adapter = adapter
        super().__init__(version="auto", **options)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the settings of one request; `requests` would send one to loopback through the proxy too."""
        self.trust_env = False
        proxy = self._find_proxy(str(url)) if str(url).startswith(("http://", "https://")) else None
        return super().merge_environment_settings(
            url, {"http": proxy, "https": proxy} if proxy else {}, stream, verify, cert
        )

    def get_adapter(self, url: Any) -> Any:
        """Return what sends a request to `url`."""
        return self._adapter or super().get_adapter(url)

    def exec_output(self, execution: str) -> tuple[bytes, bytes]:
        """Start a command that `exec_create` prepared, and return its standard output and its error output."""
        # The SDK's exec_start loses what arrives together with the head of the answer (docker-py's pull request 3438).
        # Without the upgrade of the connection that it asks for, the output is the body of an ordinary answer.
        url = self._url("/exec/{0}/start", execution)  # type: ignore[attr-defined] # the stubs have public names only
        answer = self._post_json(url, data={"Detach": False, "Tty": False})  # type: ignore[attr-defined]
        return split_streams(self._result(answer, binary=True))  # type: ignore[attr-defined]

    def exec_parts(self, execution: str) -> Generator[tuple[bool, bytes]]:
        """Start a command that `exec_create` prepared, and yield each part as it comes: whether it is error output."""
        url = self._url("/exec/{0}/start", execution)  # type: ignore[attr-defined] # the stubs have public names only
        answer = self._post_json(url, data={"Detach": False, "Tty": False}, stream=True)  # type: ignore[attr-defined]
        self._raise_for_status(answer)  # type: ignore[attr-defined]
        with closing(answer):
            while len(head := answer.raw.read(_PART_HEAD.size)) == _PART_HEAD.size:
                stream, size = _PART_HEAD.unpack(head)
                yield stream == _STANDARD_ERROR, answer.raw.read(size)


def connect(seconds: float, find_proxy: FindProxy = environment_proxy, start: StartProgram = start_program) -> Client:
    """Connect to the engine that the environment chooses; it has `seconds` for each answer.

    `start` starts the docker command, for an engine that only this command reaches. Raises UnknownContext, and
    DockerException for an engine that does not answer.
    """
    target = address()
    if target["base_url"].startswith("ssh://"):
        adapter = DialAdapter(seconds, start)
        return Client(lambda url: None, adapter, base_url="http://docker:80", timeout=seconds)
    return Client(find_proxy, **target, timeout=seconds)


def address() -> dict[str, Any]:
    """Return what the SDK needs to reach the engine that the docker command uses: `base_url`, and `tls` where needed.

    Raises UnknownContext.
    """
    if os.environ.get("DOCKER_HOST"):
        chosen = dict(os.environ)
        if not chosen.get("DOCKER_TLS_VERIFY"):
            # The docker command speaks TLS only where this is set; the SDK would for the folder of certificates alone.
            chosen.pop("DOCKER_TLS_VERIFY", None)
            chosen.pop("DOCKER_CERT_PATH", None)
        return dict(kwargs_from_env(chosen))
    context = dict(ContextAPI.kwargs_from_context())
    if not context:
        raise UnknownContext(os.environ.get("DOCKER_CONTEXT") or get_current_context_name())
    return context


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what led to it, the first cause last; `requests` keeps some causes among the arguments."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        further = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting += [item for item in further if isinstance(item, BaseException)]


def split_streams(content: bytes) -> tuple[bytes, bytes]:
    """Return the standard output and the error output of a command, which the engine sends in parts in turn."""
    output, errors = bytearray(), bytearray()
    start = 0
    while start + _PART_HEAD.size <= len(content):
        stream, size = _PART_HEAD.unpack_from(content, start)
        start += _PART_HEAD.size
        (errors if stream == _STANDARD_ERROR else output).extend(content[start : start + size])
        start += size
    return bytes(output), bytes(errors)
