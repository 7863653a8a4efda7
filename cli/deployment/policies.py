"""The policy pack of policy/, which every update runs with, and its violations as lines for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cli.system.checkout import ROOT

if TYPE_CHECKING:
    from pulumi.automation.events import PolicyEvent

PACK = str(ROOT / "policy")
MANDATORY = "mandatory"


def told(event: PolicyEvent) -> str:
    """`resource: what is wrong (rule)`, in the language of the policy pack, which is that of the command line."""
    # The rule's description comes first.
    text = re.sub(r"<\{%.*?%\}>", "", event.message).strip().splitlines()[-1].strip()
    name = (event.resource_urn or "").rsplit("::", 1)[-1]
    rule = event.policy_name.removesuffix("-advice")
    return f"{name}: {text} ({rule})"
