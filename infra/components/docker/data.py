"""Declares all volumes of a stack that hold data, whether a service uses them now or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.components.docker import defaults
from infra.settings.profiles import CACHE, MONITORING

#: The component that each data volume was a child of before there was this one; services are in McpService.
_PARENTS_BEFORE = {CACHE: "dyber:cache:Cache", MONITORING: "dyber:monitoring:Monitoring"}
_SERVICE_BEFORE = "dyber:service:McpService"


@dataclass(frozen=True)
class DataVolumesArgs:
    """`names`: of the volumes, by service (infra.parts.data_volumes.declared)."""

    identity: defaults.StackIdentity
    names: Mapping[str, str]


class DataVolumes(pulumi.ComponentResource):
    """Creates one volume per entry of `names`, or takes over the one of that name that the engine has.

    No update and no `pulumi destroy` deletes them: Pulumi only forgets them. Commands that list them and ask delete
    them (`./deploy.sh clean`, `destroy`, `remove-service --delete-data`).
    """

    def __init__(self, name: str, args: DataVolumesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:data:DataVolumes", name, None, opts)
        self._volumes = {
            service: docker.Volume(
                f"{service}-data",
                name=volume,
                labels=defaults.volume_labels(args.identity, service),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    aliases=[pulumi.Alias(parent=_urn_before(service))],
                    retain_on_delete=True,
                    # The volume of a name is the same one before and after, so it cannot be created first.
                    delete_before_replace=True,
                    # A volume that was made by hand has other labels; replacing it for them would gain nothing.
                    ignore_changes=["labels", "driver", "driverOpts"],
                ),
            )
            for service, volume in args.names.items()
        }
        self.register_outputs({})

    def volume(self, service: str) -> pulumi.Output[str]:
        """Return the name of a service's data volume on the engine."""
        return self._volumes[service].name


def _urn_before(service: str) -> str:
    component = _PARENTS_BEFORE.get(service, _SERVICE_BEFORE)
    return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{component}::{service}"
