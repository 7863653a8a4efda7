"""Runs a real Prometheus, a real Alertmanager and the sender as a deployment does, with robots on loopback."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from infra.parts import alerts as parts
from infra.parts.containers import Server
from infra.parts.monitoring import ALIAS, MONITORING_UID
from infra.rendering.alerts import ALERTMANAGER_HOST, SENDER_HOST, alertmanager_configuration, receivers_file
from infra.rendering.monitoring import render
from infra.services.ports import ALERT_SENDER_PORT, ALERTMANAGER_PORT
from infra.settings.observing.alerts import AlertsSettings
from tests.gateway.support.docker_cli import CONFINED, LABEL, READ_ONLY, archive, docker, unique, wait_until
from tests.gateway.support.monitoring_image import IMAGE
from tests.support import robots

ROBOTS = Path(robots.__file__)
ROBOTS_PORT = 9999
BASE = f"http://127.0.0.1:{ROBOTS_PORT}"
#: Alerts of the tests; the receivers' words show which of them arrived.
RULE = """
groups:
  - name: tests
    rules:
      - alert: Broken
        expr: vector({value}) > 0
        labels: {{severity: {severity}, service: {service}}}
        annotations: {{summary: "服务 {service} 坏了 / service {service} is broken", next_step: ./deploy.sh}}
"""


def settings(**receivers: dict[str, Any]) -> AlertsSettings:
    """Return settings with these receivers, by default one robot of each kind."""
    chosen = receivers or {
        kind: {
            "kind": kind,
            "url": url,
            "privateAddresses": True,
            **({"secret": robots.SECRETS[kind]} if kind in robots.SECRETS else {}),
        }
        for kind, url in robots.urls(BASE).items()
    }
    return AlertsSettings.model_validate({"receivers": chosen})


@dataclass
class Alerting:
    """The containers; the robots listen on the sender's loopback."""

    settings: AlertsSettings = field(default_factory=settings)
    network: str = field(default_factory=lambda: unique("alerting"))
    names: dict[str, str] = field(default_factory=dict)
    volumes: list[str] = field(default_factory=list)

    def start(self) -> None:
        docker("network", "create", "--internal", "--label", LABEL, self.network)
        self.state, configuration, secrets = (self.volume(role) for role in ("state", "configuration", "secrets"))
        self.configuration = configuration
        self._write(secrets, "/sender", parts.SENDER_UID, {"receivers": receivers_file(self.settings, "dev")})
        self._run("sender", SENDER_HOST, parts.sender(), f"--volume={secrets}:/run/dyber-secrets:ro",
                  f"--env={parts.RECEIVERS_VARIABLE}=/run/dyber-secrets/receivers")  # fmt: skip
        self.start_alertmanager()
        self.start_robots()
        self.names["prometheus"] = unique("prometheus")
        docker(
            "run", "--detach", "--name", self.names["prometheus"], "--label", LABEL, f"--network={self.network}",
            f"--network-alias={ALIAS}", f"--user={MONITORING_UID}", *CONFINED, *READ_ONLY,
            f"--volume={configuration}:/etc/dyber:ro", "--tmpfs=/data:mode=0777", IMAGE,
            "prometheus", "--config.file=/etc/dyber/current/prometheus.yml", "--storage.tsdb.path=/data",
            # After a reload Prometheus drops alerts until it knows Alertmanager again, and sends them again later.
            "--rules.alert.resend-delay=1s",
        )  # fmt: skip
        wait_until(lambda: self._healthy("prometheus", "9090"), "Prometheus is ready", 60)
        self.alert("none", fires=False)
        # Prometheus does not keep alerts for an Alertmanager that it does not know yet.
        wait_until(self._alertmanager_is_known, "Prometheus knows Alertmanager", 60)

    def start_alertmanager(self) -> None:
        """Start Alertmanager with short times of waiting."""
        content = yaml.safe_load(alertmanager_configuration(self.settings))
        content["route"] |= {"group_wait": "0s", "group_interval": "1s"}
        self._run(
            "alertmanager", ALERTMANAGER_HOST, parts.alertmanager(), f"--volume={self.state}:{parts.STATE_FOLDER}",
            f"--env={parts.CONFIGURATION_VARIABLE}={yaml.safe_dump(content)}",
        )  # fmt: skip

    def start_robots(self) -> None:
        self.names["robots"] = unique("robots")
        docker(
            "run", "--detach", "--name", self.names["robots"], "--label", LABEL,
            f"--network=container:{self.names['sender']}", "--user=1000", *CONFINED, *READ_ONLY,
            "--entrypoint=python3", IMAGE, "-c", ROBOTS.read_text(encoding="utf-8"), str(ROBOTS_PORT),
        )  # fmt: skip
        wait_until(self._robots_answer, "the robots answer")

    def alert(self, service: str, *, fires: bool = True, severity: str = "critical") -> None:
        """Deliver a rule to Prometheus by the loader; the alert of the service fires or not."""
        files = render([], cache=False, alerts=True)
        files["prometheus.yml"] = files["prometheus.yml"].replace("15s", "1s").replace("10s", "1s")
        rule = RULE.format(value=int(fires), service=service, severity=severity)
        files = {"prometheus.yml": files["prometheus.yml"], "rules/tests.yml": rule}
        docker(
            "run", "--rm", "--interactive", "--label", LABEL, f"--network=container:{self.names['prometheus']}",
            f"--pid=container:{self.names['prometheus']}", f"--volume={self.configuration}:/etc/dyber", *CONFINED,
            "--entrypoint=bash", IMAGE, "-euc",
            "mkdir /tmp/staging; tar -x -C /tmp/staging; apply-monitoring /tmp/staging 2>&1",
            stdin=archive(files),
        )  # fmt: skip

    def taken(self, kind: str, *parts_of_text: str) -> list[dict[str, Any]]:
        """Return the messages that the robot of a kind took and that have these parts."""
        taken = [message["content"] for message in self._seen()["taken"] if message["kind"] == kind]
        return [item for item in taken if all(part in json.dumps(item, ensure_ascii=False) for part in parts_of_text)]

    def refused(self, kind: str) -> int:
        return int(self._seen()["refused"].get(kind, 0))

    def refuse(self, kind: str, number: int) -> None:
        """Let the robot of a kind refuse the next messages."""
        self._call("POST", f"{BASE}/refuse/{kind}/{number}")

    def test(self, *arguments: str) -> dict[str, Any]:
        """Return what the test in the sender's container says."""
        result: dict[str, Any] = json.loads(
            docker("exec", self.names["sender"], "python3", "-m", "dyber_alerts", "test", *arguments)
        )
        return result

    def amtool(self, *arguments: str) -> str:
        url = f"--alertmanager.url=http://127.0.0.1:{ALERTMANAGER_PORT}"
        return docker("exec", self.names["alertmanager"], "amtool", url, *arguments)

    def remove(self, role: str) -> None:
        """Stop a container as a deployment does, and remove it."""
        docker("stop", self.names[role])
        docker("rm", "--force", self.names.pop(role))

    def volume(self, role: str) -> str:
        name = unique(role)
        docker("volume", "create", "--label", LABEL, name)
        self.volumes.append(name)
        return name

    def stop(self) -> None:
        for name in reversed(self.names.values()):
            docker("rm", "--force", "--volumes", name)
        for volume in self.volumes:
            docker("volume", "rm", "--force", volume)
        docker("network", "rm", self.network)

    def _run(self, role: str, alias: str, server: Server, *options: str) -> None:
        self.names[role] = unique(role)
        docker(
            "run", "--detach", "--name", self.names[role], "--label", LABEL, f"--network={self.network}",
            f"--network-alias={alias}", f"--user={server.confinement.uid}", *CONFINED, *READ_ONLY,
            f"--memory={server.confinement.memory_mib}m", f"--memory-swap={server.confinement.memory_mib}m",
            *(f"--env={key}={value}" for key, value in server.environment), *options, IMAGE, *server.command,
        )  # fmt: skip
        port = {"sender": ALERT_SENDER_PORT, "alertmanager": ALERTMANAGER_PORT}[role]
        path = "/health" if role == "sender" else "/-/ready"
        try:
            wait_until(lambda: self._healthy(role, str(port), path), f"{role} is ready", 60)
        except AssertionError as error:
            raise AssertionError(docker("logs", self.names[role])) from error

    def _write(self, volume: str, folder: str, uid: int, files: dict[str, str]) -> None:
        docker(
            "run", "--rm", "--interactive", "--label", LABEL, f"--user={uid}", "--network=none",
            f"--volume={volume}:{folder}", "--entrypoint=tar", IMAGE, "-x", "-C", folder, stdin=archive(files),
        )  # fmt: skip

    def _healthy(self, role: str, port: str, path: str = "/-/ready") -> bool:
        try:
            docker("exec", self.names[role], "/usr/local/bin/monitoring-healthcheck", path, port)
        except AssertionError:
            return False
        return True

    def _alertmanager_is_known(self) -> bool:
        script = "import urllib.request as u; print(u.urlopen('http://prometheus:9090/api/v1/alertmanagers').read().decode())"
        known = json.loads(docker("exec", self.names["sender"], "python3", "-c", script))
        return bool(known["data"]["activeAlertmanagers"])

    def _robots_answer(self) -> bool:
        try:
            self._seen()
        except AssertionError:
            return False
        return True

    def _seen(self) -> dict[str, Any]:
        seen: dict[str, Any] = json.loads(self._call("GET", f"{BASE}/seen"))
        return seen

    def _call(self, method: str, url: str) -> str:
        script = "import sys, urllib.request as u; print(u.urlopen(u.Request(sys.argv[2], method=sys.argv[1])).read().decode())"
        return docker("exec", self.names["robots"], "python3", "-c", script, method, url)
