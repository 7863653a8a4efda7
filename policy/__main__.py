"""The policy pack: `pulumi up --policy-pack policy`. Its rules are in rules.py; here they are handed to Pulumi.

Each rule is there twice, as only the resources tell which stack this is: as an order, which stops the update of a
strict stack, and as advice for every other.
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

from policy.rules import RULES, Resource, Stack, known

ROOT = Path(__file__).resolve().parent.parent
stack_of = cache(lambda name: Stack.of(f"urn:pulumi:{name}::", ROOT))


def policy(name: str, strict: bool) -> ResourceValidationPolicy:
    """A rule as Pulumi asks for it, once for each resource, for the strict stacks or for the others."""
    types, rule = RULES[name]

    def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
        stack = stack_of(args.urn.split("::")[0].removeprefix("urn:pulumi:"))
        if args.resource_type in types and stack.strict == strict:
            inputs = known(args.props, UnknownValueError)
            for problem in rule(Resource(args.resource_type, args.urn, inputs, bool(args.opts.protect)), stack):
                report_violation(problem, args.urn)

    return ResourceValidationPolicy(
        name=name if strict else f"{name}-advice",
        description=(rule.__doc__ or name).strip(),
        validate=validate,
        enforcement_level=EnforcementLevel.MANDATORY if strict else EnforcementLevel.ADVISORY,
    )


# Serves until Pulumi ends it.
PolicyPack("dyber", [policy(name, strict) for name in RULES for strict in (True, False)])
