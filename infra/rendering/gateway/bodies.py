"""Decides how many bodies of requests may arrive at the gateway at once, so that all fit into its memory for them."""

from __future__ import annotations

from dataclasses import dataclass

from infra.settings.gateway import GatewaySettings


@dataclass(frozen=True)
class BodyLimit:
    """How many calls with a body of one kind may run at once: of one client, and of all clients together."""

    client: int
    total: int


def body_limits(settings: GatewaySettings) -> dict[str, BodyLimit]:
    """Return the limit of each kind of body (nginx/templates/limits.conf.j2).

    The limits ensure that all bodies fit into the memory for bodies, and that one client cannot use the share of the
    others. `small` bodies are in Nginx's own memory; `medium` bodies have less than 1 MB; `large` and `unannounced`
    bodies may have the largest size that is allowed. Spans for the console may need the rest (console_body_limits).
    """
    spans_mib = console_body_limits(settings)["spans"].total * SPANS_BODY_KIB // 1024
    memory, largest = settings.body_memory_mib - spans_mib, settings.max_body_mib
    totals = {"medium": memory // 12, "large": memory * 3 // 10 // largest, "unannounced": memory * 6 // 10 // largest}
    shared = {kind: max(2, total) for kind, total in totals.items()}
    return {
        "small": BodyLimit(client=256, total=1024),
        **{kind: BodyLimit(client=max(1, total // 2), total=total) for kind, total in shared.items()},
    }


#: The largest body of a request for a page of the console, and of spans or lines of logs for it, in KiB. Nginx's buffer
#: has the same size, so only a body in many small chunks, whose lines fill the buffer too, is in a temporary file.
PAGE_BODY_KIB, SPANS_BODY_KIB = 256, 1024


def console_body_limits(settings: GatewaySettings) -> dict[str, BodyLimit]:
    """Return how many bodies for the console may arrive at once; a client is an address here.

    All together take at most an eighth of the gateway's memory, half of it for pages and half for spans and logs.
    """
    share = settings.memory_mib * 1024 // 16
    pages, spans = min(64, share // PAGE_BODY_KIB), min(16, share // SPANS_BODY_KIB)
    return {"pages": BodyLimit(client=min(16, pages // 2), total=pages), "spans": BodyLimit(min(4, spans // 2), spans)}
