"""Decides what `--dev`, `--full`, `--profile` and `--services` change in a stack's file; writes nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from infra.services.catalog import ServiceSpec
from infra.settings.profiles import CACHE, MONITORING
from messages import tr

GATEWAY = "api-gateway"
#: By profile, the name of what it switches on besides services, as in the first version of this program.
FEATURES = {CACHE: "redis-cache", MONITORING: "prometheus"}
FULL = ("dev", *FEATURES)
ALL = "all"


class SelectionError(Exception):
    """A word that names no profile or service; the message names the known ones."""


@dataclass(frozen=True)
class Selection:
    """What runs according to a stack's file: its profiles, and by service the setting that overrides them."""

    profiles: tuple[str, ...] = ()
    enabled: Mapping[str, bool] = field(default_factory=dict)

    def runs(self, spec: ServiceSpec) -> bool:
        """Tell whether the service is deployed: `enabled` decides if it names the service, else its profile does."""
        return self.enabled.get(spec.name, spec.profile is None or spec.profile in self.profiles)


def with_profiles(present: Selection, words: Iterable[str], catalog: Mapping[str, ServiceSpec]) -> Selection:
    """Return `present` with these profiles added; all services of these profiles run.

    `full` means dev, cache and monitoring; `default` first switches all other profiles off. Raises SelectionError for a
    word that is no profile.
    """
    known = list(dict.fromkeys([*FULL, *(spec.profile for spec in catalog.values() if spec.profile)]))
    added: list[str] = []
    profiles = list(present.profiles)
    for word in words:
        if word == "full":
            added += [name for name in FULL if name not in added]
        elif word == "default":
            profiles = []
        elif word in known:
            added.append(word)
        else:
            raise _unknown(word, tr("profile"), [*known, "full", "default"])
    profiles += [name for name in dict.fromkeys(added) if name not in profiles]
    enabled = {
        name: runs
        for name, runs in present.enabled.items()
        if runs or name not in catalog or catalog[name].profile not in added
    }
    return Selection(tuple(profiles), enabled)


def with_services(present: Selection, words: Iterable[str], catalog: Mapping[str, ServiceSpec]) -> Selection:
    """Return a selection of only these services; the gateway always runs, and `all` means what the profiles say.

    Raises SelectionError for a word that names no service, and if no service is named.
    """
    words = list(words)
    if words == [ALL]:
        return Selection(present.profiles)
    chosen, features = set(), set()
    by_name = {name: profile for profile, name in FEATURES.items()}
    for word in words:
        if word == GATEWAY:
            continue
        if word in by_name:
            features.add(by_name[word])
        else:
            chosen.add(service_name(word, catalog))
    if not chosen:
        raise SelectionError(tr("choose at least one MCP service: ") + ", ".join(f"{name}-mcp" for name in catalog))
    profiles = (
        *(name for name in present.profiles if name not in FEATURES or name in features),
        *(name for name in FEATURES if name in features and name not in present.profiles),
    )
    by_profile = Selection(profiles)
    enabled = {name: name in chosen for name, spec in catalog.items() if (name in chosen) != by_profile.runs(spec)}
    return Selection(profiles, enabled)


def service_name(word: str, catalog: Mapping[str, ServiceSpec]) -> str:
    """Return the service that `word` names, with or without `-mcp`. Raises SelectionError naming the known ones."""
    for name in (word, word.removesuffix("-mcp")):
        if name in catalog:
            return name
    known = [*(f"{name}-mcp" for name in catalog), GATEWAY, *FEATURES.values()]
    raise _unknown(word, tr("service"), known)


def changes(before: Selection, after: Selection) -> list[str]:
    """Return one line for each setting that differs between two selections."""
    lines = []
    if before.profiles != after.profiles:
        lines.append(f"profiles: {_list(before.profiles)} → {_list(after.profiles)}")
    for name in sorted({*before.enabled, *after.enabled}):
        old, new = before.enabled.get(name), after.enabled.get(name)
        if old != new:
            lines.append(f"services.{name}.enabled: {_text(old)} → {_text(new)}")
    return lines


def _list(names: tuple[str, ...]) -> str:
    return f"[{', '.join(names)}]"


def _text(value: bool | None) -> str:
    return "-" if value is None else str(value).lower()


def _unknown(word: str, kind: str, known: list[str]) -> SelectionError:
    near = difflib.get_close_matches(word, known, n=1)
    hint = tr("did you mean {near}? ", near=near[0]) if near else ""
    return SelectionError(
        tr("there is no {kind} {word!r}. {hint}known: ", kind=kind, word=word, hint=hint) + ", ".join(known)
    )
