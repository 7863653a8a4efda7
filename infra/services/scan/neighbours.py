"""Collects the names by which texts of a service could mean another service."""

from __future__ import annotations

from collections.abc import Mapping

from infra.services.catalog import ServiceSpec
from infra.services.scan.rules.interface import Neighbours


def neighbours_of(catalog: Mapping[str, ServiceSpec], service: str) -> Neighbours:
    """Return by service the names of its tools, its name and its title, for all services but `service`."""
    return {name: (name, spec.title, *spec.tools) for name, spec in catalog.items() if name != service}
