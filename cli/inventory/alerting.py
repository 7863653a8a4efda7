"""Asks the Alertmanager and the sender of a stack: what fires, what is silenced, and whether a test arrives."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.engine.errors import CommandFailed
from cli.engine.processes import execute
from cli.system.errors import StackError
from infra.rendering.alerts import TEST_ALERT
from infra.services.ports import ALERTMANAGER_PORT
from messages import tr

#: What the sender needs at most for a test.
_TEST_SECONDS = 90
_AUTHOR = "deploy.sh"


@dataclass(frozen=True)
class Alerting:
    """The containers that send a stack's alerts, and the names of those who get them."""

    alertmanager: str
    sender: str
    receivers: tuple[str, ...]

    @classmethod
    def of(cls, outputs: Mapping[str, Any], stack: str) -> Alerting:
        """Read the outputs of a stack. Raises StackError if its alerts go nowhere."""
        alerts = outputs.get("monitoring", {}).get("alerts")
        if not alerts:
            raise StackError(
                tr("stack {stack} sends its alerts nowhere", stack=stack),
                tr("see “Notifications” in docs/monitoring.en.md, write monitoring.alerts and deploy"),
            )
        return cls(alerts["alertmanager"], alerts["sender"], tuple(alerts["receivers"]))

    def test(self, receiver: str | None) -> dict[str, Any]:
        """Send a test message; return what monitoring/dyber_alerts/trial.py says. Raises StackError, EngineError."""
        if receiver is not None and receiver not in self.receivers:
            known = ", ".join(self.receivers)
            raise StackError(tr("there is no receiver {name!r}; known: {known}", name=receiver, known=known))
        command = ["python3", "-m", "dyber_alerts", "test", *([receiver] if receiver else [])]
        result: dict[str, Any] = json.loads(execute(self.sender, command, seconds=_TEST_SECONDS))
        return result

    def firing(self) -> list[dict[str, Any]]:
        """Return the alerts that fire, as Alertmanager describes them, those that are silenced too."""
        alerts = self._amtool("alert", "query", "--active", "--silenced", "--inhibited", "--unprocessed")
        return [alert for alert in alerts if alert["labels"]["alertname"] != TEST_ALERT]

    def silences(self) -> list[dict[str, Any]]:
        """Return the silences that hold now, as Alertmanager describes them."""
        return self._amtool("silence", "query")

    def silence(self, alert: str, duration: str, service: str | None) -> str:
        """Silence an alert, everywhere or of a service, for a duration such as 2h; return the silence's id."""
        if not re.fullmatch(r"[1-9][0-9]{0,3}[mhd]", duration):
            raise StackError(tr("{value!r} is no duration; write it like 30m, 2h or 7d", value=duration))
        matchers = [f"alertname={json.dumps(alert)}", *([f"service={json.dumps(service)}"] if service else [])]
        options = [f"--author={_AUTHOR}", f"--comment={_AUTHOR}", f"--duration={duration}"]
        return self._run(["silence", "add", *options, *matchers]).strip()

    def unsilence(self, silence: str) -> None:
        """End a silence. Raises StackError for an unknown id."""
        if silence not in {item["id"] for item in self.silences()}:
            raise StackError(tr("there is no silence {id!r}", id=silence), tr("see ./deploy.sh alerts list"))
        self._run(["silence", "expire", silence])

    def _amtool(self, *arguments: str) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = json.loads(self._run([*arguments, "--output=json"]) or "[]")
        return content

    def _run(self, arguments: Sequence[str]) -> str:
        url = f"--alertmanager.url=http://127.0.0.1:{ALERTMANAGER_PORT}"
        try:
            return execute(self.alertmanager, ["amtool", url, *arguments])
        except CommandFailed as error:
            raise StackError(
                tr("Alertmanager did not do it: {error}", error=error), tr("see ./deploy.sh logs alerts")
            ) from None
