"""Connects to the Docker engine through Docker's SDK, and turns its failures into clear messages.

The SDK takes a third of a second to import, so other modules import this one where they first ask the engine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import requests
from docker import APIClient
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import APIError, DockerException, NotFound
from docker.utils import kwargs_from_env
from urllib3.exceptions import HTTPError, ReadTimeoutError

from cli.engine.dialling import DialAdapter
from cli.engine.errors import EngineError, NotOnEngine
from cli.system import programs
from messages import tr
from toolchain import proxies

#: The engine has so long for each answer, unless the caller says otherwise.
ANSWER_SECONDS = 120
#: The variables that choose an engine.
_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG")


class Client(APIClient):
    """An engine's client that uses the proxy that the docker command would use, and no other setting for web pages."""

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return the settings of one request; `requests` would send one to loopback through the proxy too."""
        self.trust_env = False
        proxy = _proxy(str(url))
        return super().merge_environment_settings(
            url, {"http": proxy, "https": proxy} if proxy else {}, stream, verify, cert
        )


class ClientThroughCommand(Client):
    """The client of an engine that only the docker command reaches."""

    def get_adapter(self, url: Any) -> Any:
        """Return what sends a request to any `url`."""
        return _dial_adapter()


@contextmanager
def asking() -> Iterator[Client]:
    """Give the client of the engine in use. Raises EngineError for whatever fails inside, NotOnEngine for an unknown
    name."""
    chosen = tuple(os.environ.get(name) for name in _VARIABLES)
    try:
        yield _connect(chosen)
    except NotFound as error:
        raise NotOnEngine(str(error.explanation or error)) from None
    except APIError as error:
        raise EngineError(str(error.explanation or error)) from None
    except (DockerException, requests.RequestException, HTTPError, OSError) as error:
        raise _no_answer(error) from None


def address() -> dict[str, Any]:
    """Return what the SDK needs to reach the engine that the docker command uses: `base_url`, and `tls` where needed.

    Raises EngineError for a docker context that does not exist.
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
        name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
        raise EngineError(
            tr("there is no docker context {name!r}", name=name),
            tr("list those there are: docker context ls"),
        )
    return context


@cache
def _connect(chosen: tuple[str | None, ...]) -> Client:
    """Connect once to the engine that the environment has `chosen`."""
    target = address()
    if target["base_url"].startswith("ssh://"):
        return ClientThroughCommand(base_url="http://docker:80", version="auto", timeout=ANSWER_SECONDS)
    return Client(**target, version="auto", timeout=ANSWER_SECONDS)


@cache
def _dial_adapter() -> DialAdapter:
    return DialAdapter(ANSWER_SECONDS)


def _proxy(url: str) -> str | None:
    return proxies.for_address(url, os.environ) if url.startswith(("http://", "https://")) else None


def _no_answer(error: Exception) -> EngineError:
    """Return the message for an engine that gave no answer: it hangs, refuses this user, or is not there."""
    reasons = list(_reasons(error))
    for reason in reasons:
        if isinstance(reason, programs.ProgramError):
            return EngineError(reason.message, reason.next_step)
    if any(isinstance(reason, TimeoutError | ReadTimeoutError | requests.Timeout) for reason in reasons):
        return EngineError(
            tr("the Docker engine did not answer in time"),
            tr(programs.WHEN_HANGING["docker"]),
        )
    if any(isinstance(reason, PermissionError) for reason in reasons):
        return EngineError(
            tr("Docker is running, but this user may not use it"),
            tr("run `sudo usermod -aG docker $USER`, log in again and retry"),
        )
    host = address()["base_url"]
    return EngineError(tr("the Docker engine does not answer ({host}): {reasons}", host=host, reasons=reasons[-1]))


def _reasons(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what led to it, the first cause last; `requests` keeps some causes among the arguments."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        reason = waiting.pop(0)
        if id(reason) in seen:
            continue
        seen.add(id(reason))
        yield reason
        inside = (reason.__cause__, reason.__context__, getattr(reason, "reason", None), *reason.args)
        waiting += [item for item in inside if isinstance(item, BaseException)]
