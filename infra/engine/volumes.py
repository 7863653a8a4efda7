"""Asks the engine which volumes it has."""

from __future__ import annotations

from typing import Any

import requests
from docker.errors import DockerException

from infra.engine import connection
from infra.schema.problems import ConfigurationError, Problem
from infra.schema.system_errors import reason

#: The engine has so many seconds for its answer.
ANSWER_SECONDS = 60


def list_volumes() -> list[dict[str, Any]]:
    """Return the volumes that the engine has, each with at least `Name` and `Labels`.

    Raises ConfigurationError when the engine does not answer.
    """
    try:
        client = connection.connect(ANSWER_SECONDS)
        return list(client.volumes()["Volumes"] or [])
    except (DockerException, connection.UnknownContext, requests.RequestException, OSError) as error:
        cause = list(connection.causes(error))[-1]
        raise ConfigurationError(Problem("volumes_unknown", parameters={"reason": reason(cause)})) from None
