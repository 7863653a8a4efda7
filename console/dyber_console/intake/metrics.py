"""Reads samples from Prometheus' text format."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

_NAME = re.compile(r"[\w:]*")


@dataclass
class Samples:
    """Holds the samples of one scrape by the name of their metric."""

    by_name: dict[str, list[tuple[Mapping[str, str], float]]] = field(default_factory=dict)

    def value(self, name: str, **labels: str) -> float | None:
        """Return the first sample of a metric with these labels, or None."""
        return next((value for _, value in self.matching(name, **labels)), None)

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a metric with these labels."""
        return sum(value for _, value in self.matching(name, **labels))

    def matching(self, name: str, **labels: str) -> list[tuple[Mapping[str, str], float]]:
        """Return the samples of a metric that have these labels, each with all its labels."""
        return [
            (found, value)
            for found, value in self.by_name.get(name, [])
            if all(found.get(label) == wanted for label, wanted in labels.items())
        ]


def read_samples(text: str, names: frozenset[str] | None = None) -> Samples:
    """Return the samples of a text, or only those of the metrics in `names`; raise ValueError when it is none."""
    samples = Samples()
    if names is not None:
        # Most of a text is about other metrics, and reading a line takes long.
        text = "".join(f"{line}\n" for line in text.splitlines() if _name(line) in names)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if names is None or sample.name in names:
                samples.by_name.setdefault(sample.name, []).append((sample.labels, float(sample.value)))
    return samples


def _name(line: str) -> str:
    """Return the name of the metric of a line; "" for comments."""
    found = _NAME.match(line)
    return found[0] if found else ""
