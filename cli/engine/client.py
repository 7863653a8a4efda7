"""Gives the client of the engine in use, and turns the failures of Docker's SDK into clear messages.

The SDK takes a third of a second to import, so other modules import this one where they first ask the engine.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import requests
from docker.credentials.errors import StoreError
from docker.errors import APIError, DockerException, NotFound
from urllib3.exceptions import HTTPError, ReadTimeoutError

from cli.engine.errors import EngineError, NotOnEngine
from cli.system import programs
from infra.engine import connection
from infra.engine.connection import Client, UnknownContext
from messages import tr
from toolchain import proxies

#: The engine has so many seconds for each answer, unless the caller gives it another number.
ANSWER_SECONDS = 120


@contextmanager
def asking(seconds: float | None = None) -> Iterator[Client]:
    """Give the client of the engine in use, which has `seconds` for each answer.

    Raises EngineError for whatever fails inside, NotOnEngine for an unknown name.
    """
    chosen = tuple(os.environ.get(name) for name in connection.VARIABLES)
    try:
        yield _connect(chosen, seconds or ANSWER_SECONDS)
    except NotFound as error:
        raise NotOnEngine(str(error.explanation or error)) from None
    except APIError as error:
        raise EngineError(str(error.explanation or error)) from None
    except UnknownContext as error:
        raise EngineError(
            tr("there is no docker context {name!r}", name=error.name),
            tr("list the contexts: docker context ls"),
        ) from None
    except (DockerException, requests.RequestException, HTTPError, OSError) as error:
        raise _no_answer(error) from None


@cache
def _connect(chosen: tuple[str | None, ...], seconds: float) -> Client:
    """Connect once to the engine that the environment has `chosen`."""
    return connection.connect(seconds, _find_proxy, _start_program)


def _find_proxy(url: str) -> str | None:
    return proxies.for_address(url, os.environ)


def _start_program(command: Sequence[str]) -> subprocess.Popen[bytes]:
    programs.note_start(command)
    try:
        return subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=programs.needs_new_session()
        )
    except OSError as error:
        raise programs.not_started(command[0], error) from error


def _no_answer(error: Exception) -> EngineError:
    """Return the message for an engine that gave no answer: it hangs, refuses this user, or does not run."""
    causes = list(connection.causes(error))
    for cause in causes:
        if isinstance(cause, programs.ProgramError):
            return EngineError(cause.message, cause.next_step)
        if isinstance(cause, StoreError):
            return EngineError(str(error))
    if any(isinstance(cause, TimeoutError | ReadTimeoutError | requests.Timeout) for cause in causes):
        return EngineError(
            tr("the Docker engine did not answer in time"),
            tr(programs.WHEN_HANGING["docker"]),
        )
    if any(isinstance(cause, PermissionError) for cause in causes):
        return EngineError(
            tr("Docker is running, but this user may not use it"),
            tr("run `sudo usermod -aG docker $USER`, log in again and retry"),
        )
    host = connection.address()["base_url"]
    return EngineError(tr("the Docker engine does not answer ({host}): {reasons}", host=host, reasons=causes[-1]))
