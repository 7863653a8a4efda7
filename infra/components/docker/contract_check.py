"""Checks the tools of a service's image before its container may take calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.components.docker import containers, defaults
from infra.components.docker.images import Image
from infra.parts.service import contract_check
from infra.schema.problems import ConfigurationError
from infra.services import contract_diff
from infra.services.catalog import ServiceSpec
from infra.services.contract import Contract, load_lock, printed_contract
from infra.services.scan.review import problems_of
from messages import tr

#: How many lines of a difference are shown.
MOST_LINES = 60


@dataclass(frozen=True)
class ContractCheckArgs:
    """`environment` is that of the service's containers, as it may decide which tools exist."""

    identity: defaults.StackIdentity
    spec: ServiceSpec
    image: Image
    environment: dict[str, str]


class ContractCheck(pulumi.ComponentResource):
    """Creates a one-shot container of the service's image, without a network, that prints the image's tools.

    If they are those of the contract, `sha256` is the hash of the contract. Otherwise it fails with RunError and the
    differences, so a container that has it as an input is not created, and the old container keeps serving.
    """

    sha256: pulumi.Output[str]

    def __init__(self, name: str, args: ContractCheckArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:service:ContractCheck", name, None, opts)
        spec = args.spec
        container = containers.declare_task(
            contract_check(spec, args.environment),
            args.identity,
            args.image,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=args.image.built_by,
                # With delete-first Pulumi would also delete the service's container, which depends on the outcome.
                delete_before_replace=False,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        )
        self.sha256 = pulumi.Output.all(container.exit_code, container.container_logs).apply(
            lambda result: _checked(spec, *result)
        )
        self.register_outputs({"sha256": self.sha256})


def _checked(spec: ServiceSpec, exit_code: int | None, output: str | None) -> str:
    problem = difference(spec, exit_code, output)
    if problem:
        raise pulumi.RunError(problem)
    return spec.contract_sha256


def difference(spec: ServiceSpec, exit_code: int | None, output: str | None) -> str:
    """Return why a service whose image printed `output` must not be put in service; an empty text if it may."""
    name = spec.name
    try:
        actual = printed_contract(output or "", name).reviewed(spec.source.tools if spec.source else {})
    except ConfigurationError:
        actual = None
    if exit_code or actual is None:
        last = "\n".join((output or "").strip().splitlines()[-10:])
        return tr(
            "Service {name} did not list its tools (exit code {exit_code}) and was not put in service; the old "
            "container keeps serving. The last lines of its output:\n{last}",
            name=name,
            exit_code=exit_code,
            last=last,
        )
    if actual.sha256 == spec.contract_sha256 and actual.read_only == spec.tools:
        # A contract that was promoted from elsewhere has no lock file here, so it is looked at only now.
        return "\n".join(problem.text() for problem in problems_of(spec, actual, {}))
    return tr(
        "The tools of service {name} are not those of its contract; it was not put in service, the old container keeps "
        "serving. If the change is intended: ./deploy.sh tools lock {name}, review it and commit it; in a pinned "
        "stack: ./deploy.sh promote\n{changes}",
        name=name,
        changes=_changes(spec, actual),
    )


def _changes(spec: ServiceSpec, actual: Contract) -> str:
    lock = load_lock(spec.folder)
    if lock is None or lock.sha256 != spec.contract_sha256:
        # The promoted contract is not that of the lock file here, so only the names of its tools are known.
        names = sorted({*spec.tools, *actual.tools})
        lines = [f"  {name}: {_kind(spec.tools, name)} → {_kind(actual.read_only, name)}" for name in names]
        return "\n".join([f"  sha256 {spec.contract_sha256[:16]}… → {actual.sha256[:16]}…", *lines[:MOST_LINES]])
    changes = contract_diff.compare(lock, actual)
    lines = [line for change in changes for line in change.lines()]
    more = [f"  … {len(lines) - MOST_LINES}"] if len(lines) > MOST_LINES else []
    return "\n".join([*lines[:MOST_LINES], *more])


def _kind(tools: Mapping[str, bool], name: str) -> str:
    return {True: "read", False: "write", None: "-"}[tools.get(name)]
