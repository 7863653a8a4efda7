"""Implements `dyber alerts …`, which shows, silences and tests the notifications of a stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.commands.reading import AcceptedYesOption, JsonOption, StackOption, deployed, print_json
from cli.inventory.alerting import Alerting
from cli.terminal.console import fail, out
from cli.terminal.usage import FAILED, examples
from messages import language, tr

alerts_app = typer.Typer(epilog=examples("./deploy.sh alerts test", "./deploy.sh alerts list"), no_args_is_help=True)


@alerts_app.command(
    "test",
    help=tr("Send a test message to those who get alerts, and show what each answered; exit code 1 if any did not"),
    epilog=examples("./deploy.sh alerts test", "./deploy.sh alerts test family"),
)
def alerts_test(
    receiver: Annotated[str | None, typer.Argument(help=tr("Only this receiver"), show_default=False)] = None,
    as_json: JsonOption = False,
    stack: StackOption = "dev",
    yes: AcceptedYesOption = False,
) -> None:
    """Send a test message through Alertmanager and the sender, and show what each receiver answered."""
    result = _alerting(stack).test(receiver)
    if as_json:
        print_json(result)
    else:
        _show_test(result)
    if not _arrived(result):
        raise typer.Exit(FAILED)


@alerts_app.command(
    "list",
    help=tr("List the alerts that fire, and what is silenced"),
    epilog=examples("./deploy.sh alerts list", "./deploy.sh alerts list --json"),
)
def alerts_list(as_json: JsonOption = False, stack: StackOption = "dev") -> None:
    """List the alerts that fire, and what is silenced."""
    alerting = _alerting(stack)
    firing, silences = alerting.firing(), alerting.silences()
    if as_json:
        print_json({"alerts": firing, "silences": silences})
        return
    if not firing:
        out.print(tr("no alert fires"))
    for alert in firing:
        _show_alert(alert)
    for silence in silences:
        about = ", ".join(f"{item['name']}={item['value']}" for item in silence["matchers"])
        out.print(
            tr("silenced until {time}: {about} ({id})", time=silence["endsAt"], about=about, id=silence["id"]),
            markup=False,
        )


@alerts_app.command(
    "silence",
    help=tr("Do not send an alert for a while; it is still shown"),
    epilog=examples("./deploy.sh alerts silence CallsSlow --for 2h --service weibo"),
)
def alerts_silence(
    alert: Annotated[str, typer.Argument(help=tr("The name of the alert, such as CallsSlow"))],
    duration: Annotated[str, typer.Option("--for", help=tr("For how long, such as 30m, 2h or 7d"))] = "2h",
    service: Annotated[str | None, typer.Option(help=tr("Only for this service"))] = None,
    stack: StackOption = "dev",
    yes: AcceptedYesOption = False,
) -> None:
    """Silence an alert for a while."""
    silence = _alerting(stack).silence(alert, duration, service)
    out.print(tr("silenced; to end it: ./deploy.sh alerts unsilence {id}", id=silence), markup=False)


@alerts_app.command(
    "unsilence",
    help=tr("End a silence"),
    epilog=examples("./deploy.sh alerts unsilence 3b3b4f5e-0c0c-4a66-9d0c-0f1f6d5f8a11"),
)
def alerts_unsilence(
    silence: Annotated[str, typer.Argument(help=tr("The id of the silence, as alerts list shows it"))],
    stack: StackOption = "dev",
    yes: AcceptedYesOption = False,
) -> None:
    """End a silence."""
    _alerting(stack).unsilence(silence)
    out.print(tr("the silence has ended"))


def _alerting(stack: str) -> Alerting:
    return Alerting.of(deployed(stack)[1], stack)


def _arrived(result: Mapping[str, Any]) -> bool:
    receivers = result["receivers"].values()
    reached = all(outcome and outcome["taken"] for outcome in receivers)
    return bool(result["prometheus_knows_alertmanager"] and result["alertmanager"] is None and reached)


def _show_test(result: Mapping[str, Any]) -> None:
    if not result["prometheus_knows_alertmanager"]:
        fail(tr("Prometheus does not reach Alertmanager"), tr("see ./deploy.sh logs prometheus"))
    if result["alertmanager"] is not None:
        fail(
            tr("Alertmanager did not take the test: {error}", error=result["alertmanager"]),
            tr("see ./deploy.sh logs alerts"),
        )
        return
    for name, outcome in result["receivers"].items():
        if outcome is None:
            fail(tr("{name}: nothing was sent", name=name), tr("see ./deploy.sh logs alerts"))
        elif outcome["taken"]:
            out.print(f"[green]✓[/] {name}: ", end="")
            out.print(tr("taken, answer: {answer}", answer=outcome["answer"]), markup=False)
        else:
            fail(
                tr("{name}: not taken: {answer}", name=name, answer=outcome["answer"]),
                tr(
                    "correct monitoring.alerts.receivers.{name}, see “Notifications” in docs/monitoring.en.md",
                    name=name,
                ),
            )


def _show_alert(alert: Mapping[str, Any]) -> None:
    labels, annotations = alert["labels"], alert["annotations"]
    halves = annotations.get("summary", labels["alertname"]).split(" / ")
    half = len(halves) // 2
    summary = " / ".join(halves[:half] if language() == "zh" else halves[half:])
    state = "" if alert["status"]["state"] == "active" else tr(" (not sent: silenced or explained by another)")
    out.print(f"{labels['alertname']} [{labels.get('severity', '')}] {summary}{state}", markup=False)
    if step := annotations.get("next_step"):
        out.print("  " + tr("next: {step}", step=step), markup=False)
