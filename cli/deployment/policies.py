"""Locates the policy pack that every update runs with, and turns its violations into text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cli.system.checkout import ROOT

if TYPE_CHECKING:
    from pulumi.automation.events import PolicyEvent

PACK = str(ROOT / "policy")
MANDATORY = "mandatory"


def violation_text(event: PolicyEvent) -> str:
    """Return a violation as `resource: what is wrong (rule)` in the user's language, which the policy pack uses too."""
    # The rule's description comes first.
    text = re.sub(r"<\{%.*?%\}>", "", event.message).strip().splitlines()[-1].strip()
    name = (event.resource_urn or "").rsplit("::", 1)[-1]
    rule = event.policy_name.removesuffix("-advice")
    return f"{name}: {text} ({rule})"
