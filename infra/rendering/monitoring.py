"""Renders the configuration of Prometheus from the services. Templates and rules are in monitoring/."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import jinja2

from infra.rendering.alerts import ALERTMANAGER_HOST
from infra.services.catalog import ServiceSpec
from infra.services.ports import ALERTMANAGER_PORT, METRICS_PORT

MONITORING_FOLDER = Path(__file__).resolve().parents[2] / "monitoring"
#: The folder in which Prometheus and the loader mount the configuration volume.
CONFIGURATION_ROOT = "/etc/dyber"
EXPORTER_PORT = 9121
#: The names of the gateway and the exporter on the network of Prometheus.
GATEWAY_HOST, EXPORTER_HOST = "gateway", "cache-exporter"
#: The name of the hub beside the names of services.
HUB_HOST = "hub"
#: The same of the console.
CONSOLE_HOST = "console"


def render(
    services: Iterable[ServiceSpec],
    *,
    cache: bool,
    hub_replicas: int = 0,
    alerts: bool = False,
    console: bool = False,
) -> dict[str, str]:
    """Return the text of each file by its path in the configuration's folder; Prometheus starts with `prometheus.yml`.

    `cache`: the stack has Redis with its exporter. `hub_replicas` is how many containers the hub has. `alerts`: there is
    an Alertmanager. `console`: the stack has the console. The result does not depend on the order of the services.
    """
    scraped = [(service.name, service.replicas) for service in sorted(services, key=lambda service: service.port)]
    context = {
        "scraped": [*scraped, (HUB_HOST, hub_replicas), (CONSOLE_HOST, int(console))],
        "gateway": f"{GATEWAY_HOST}:{METRICS_PORT}",
        "cache": f"{EXPORTER_HOST}:{EXPORTER_PORT}" if cache else "",
        "alertmanager": f"{ALERTMANAGER_HOST}:{ALERTMANAGER_PORT}" if alerts else "",
    }
    files = {"prometheus.yml": _environment().get_template("prometheus.yml.j2").render(context)}
    for rules in sorted((MONITORING_FOLDER / "rules").glob("*.yml")):
        files[f"rules/{rules.name}"] = rules.read_text(encoding="utf-8")
    return files


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(MONITORING_FOLDER / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
