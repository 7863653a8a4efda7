"""Renders the configuration of Alertmanager, and the file of those who get alerts."""

from __future__ import annotations

import json
from typing import Any

import yaml

from infra.services.ports import ALERT_SENDER_PORT
from infra.settings.observing.alerts import AlertsSettings, ReceiverSettings

#: The names of Alertmanager and of the sender in the network of Prometheus.
ALERTMANAGER_HOST, SENDER_HOST = "alertmanager", "alert-sender"
#: The alert of `./deploy.sh alerts test`, and the value of its label `to` for every receiver
#: (monitoring/dyber_alerts/trial.py).
TEST_ALERT, EVERYBODY = "DyberTest", "everybody"
_NOBODY = "nobody"


def alertmanager_configuration(alerts: AlertsSettings) -> str:
    """Return the configuration of Alertmanager as YAML; it has no secrets, as the sender alone has the addresses.

    Alerts of a service are grouped into a notification. A test goes to those that it names at once, and its end is not
    told.
    """
    tests = [
        {
            "receiver": _test_receiver(name),
            "matchers": [f'alertname="{TEST_ALERT}"', f'to=~"{name}|{EVERYBODY}"'],
            "group_by": ["..."],
            "group_wait": "0s",
            "continue": True,
        }
        for name in alerts.receivers
    ]
    routes = [
        {
            "receiver": name,
            "matchers": [f'alertname!="{TEST_ALERT}"', f'severity=~"{"|".join(receiver.severities)}"'],
            "continue": True,
        }
        for name, receiver in alerts.receivers.items()
    ]
    content = {
        "route": {
            "receiver": _NOBODY,
            "group_by": ["service"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": alerts.repeat,
            "routes": [*tests, *routes],
        },
        "inhibit_rules": [
            # Without the gateway no metrics of services can be read.
            {"source_matchers": ['alertname="GatewayDown"'], "target_matchers": ['alertname="TargetDown"']},
            {
                "source_matchers": ['alertname="ServiceDown"'],
                "target_matchers": ['alertname="TargetDown"'],
                "equal": ["service"],
            },
        ],
        "receivers": [
            {"name": _NOBODY},
            *(_receiver(name, name, told=receiver.resolved) for name, receiver in alerts.receivers.items()),
            *(_receiver(_test_receiver(name), name, told=False) for name in alerts.receivers),
        ],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def receivers_file(alerts: AlertsSettings, stack: str) -> str:
    """Return the file of those who get alerts as JSON, with addresses and secrets, which the sender reads
    (monitoring/dyber_alerts/receivers.py)."""
    receivers = {name: _described(receiver) for name, receiver in sorted(alerts.receivers.items())}
    return json.dumps({"stack": stack, "language": alerts.language, "receivers": receivers}, ensure_ascii=True)


def _described(receiver: ReceiverSettings) -> dict[str, Any]:
    # Receivers without an address are refused before anything is rendered (AlertsSettings.problems).
    described: dict[str, Any] = {
        "kind": receiver.kind,
        "url": receiver.url.get_secret_value() if receiver.url else "",
        "private_addresses": receiver.private_addresses,
    }
    return {**described, **({"secret": receiver.secret.get_secret_value()} if receiver.secret else {})}


def _receiver(name: str, sent_to: str, *, told: bool) -> dict[str, Any]:
    url = f"http://{SENDER_HOST}:{ALERT_SENDER_PORT}/receivers/{sent_to}"
    return {"name": name, "webhook_configs": [{"url": url, "send_resolved": told, "max_alerts": 0}]}


def _test_receiver(name: str) -> str:
    # Names of receivers have no slash.
    return f"test/{name}"
