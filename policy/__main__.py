"""The policy pack for `pulumi up --policy-pack policy`: hands the rules of rules.py to Pulumi.

Each rule is registered twice, because only the resources tell which stack is updated: as a mandatory policy, which
applies to strict stacks and stops their update, and as an advisory policy for all other stacks.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from messages import tr
from policy.rules import RULES, Resource, Stack, known

ROOT = Path(__file__).resolve().parent.parent
stack_of = cache(lambda name: Stack.of(f"urn:pulumi:{name}::", ROOT))


def policy(name: str, strict: bool) -> ResourceValidationPolicy:
    """Return a rule in the form that Pulumi takes, for the strict stacks or for the others."""
    rule = RULES[name]

    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        stack = stack_of(args.urn.split("::")[0].removeprefix("urn:pulumi:"))
        if args.resource_type in rule.types and stack.strict == strict:
            inputs = known(args.props, UnknownValueError)
            for problem in rule.violations(
                Resource(args.resource_type, args.urn, inputs, bool(args.opts.protect)), stack
            ):
                report_violation(problem, args.urn)

    return ResourceValidationPolicy(
        name=name if strict else f"{name}-advice",
        description=tr(rule.description),
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY if strict else EnforcementLevel.ADVISORY,
    )


# This call serves the pack until Pulumi ends the process.
PolicyPack("dyber", [policy(name, strict) for name in RULES for strict in (True, False)])
