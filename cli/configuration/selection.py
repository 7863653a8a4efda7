"""What `--dev`, `--full`, `--profile` and `--services` mean for a stack's file. Decides only; writes nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from infra.services.catalog import ServiceSpec
from infra.settings.profiles import CACHE, MONITORING
from messages import tr

GATEWAY = "api-gateway"
#: What a profile beyond the services' own switches on, by the name it had from the first.
FEATURES = {CACHE: "redis-cache", MONITORING: "prometheus"}
FULL = ("dev", *FEATURES)
ALL = "all"


class SelectionError(Exception):
    """A word that names nothing; the message names the known ones."""


@dataclass(frozen=True)
class Selection:
    """What runs, as the stack's file says it: its profiles, and for some services whether they run in spite of them."""

    profiles: tuple[str, ...] = ()
    enabled: Mapping[str, bool] = field(default_factory=dict)

    def runs(self, spec: ServiceSpec) -> bool:
        """Tell whether the service is deployed: as the stack file says by name, else as its profile is chosen."""
        return self.enabled.get(spec.name, spec.profile is None or spec.profile in self.profiles)


def with_profiles(now: Selection, words: Iterable[str], catalog: Mapping[str, ServiceSpec]) -> Selection:
    """`now` with these profiles too; `full` is dev, cache and monitoring; `default` first switches all others off.
    A service of a profile that is asked for runs, whatever was said of it before.

    Raises SelectionError for a word that is no profile.
    """
    known = list(dict.fromkeys([*FULL, *(spec.profile for spec in catalog.values() if spec.profile)]))
    asked: list[str] = []
    profiles = list(now.profiles)
    for word in words:
        if word == "full":
            asked += [name for name in FULL if name not in asked]
        elif word == "default":
            profiles = []
        elif word in known:
            asked.append(word)
        else:
            raise _unknown(word, tr("profile"), [*known, "full", "default"])
    profiles += [name for name in dict.fromkeys(asked) if name not in profiles]
    enabled = {
        name: on for name, on in now.enabled.items() if on or name not in catalog or catalog[name].profile not in asked
    }
    return Selection(tuple(profiles), enabled)


def with_services(now: Selection, words: Iterable[str], catalog: Mapping[str, ServiceSpec]) -> Selection:
    """Just these services, beside the gateway, which always runs; `all`: as the profiles say, again.

    Raises SelectionError for a word that names nothing, and for no service at all.
    """
    words = list(words)
    if words == [ALL]:
        return Selection(now.profiles)
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
        *(name for name in now.profiles if name not in FEATURES or name in features),
        *(name for name in FEATURES if name in features and name not in now.profiles),
    )
    by_profile = Selection(profiles)
    enabled = {name: name in chosen for name, spec in catalog.items() if (name in chosen) != by_profile.runs(spec)}
    return Selection(profiles, enabled)


def service_name(word: str, catalog: Mapping[str, ServiceSpec]) -> str:
    """The service that `word` names, with or without `-mcp`. Raises SelectionError naming the known ones."""
    for name in (word, word.removesuffix("-mcp")):
        if name in catalog:
            return name
    known = [*(f"{name}-mcp" for name in catalog), GATEWAY, *FEATURES.values()]
    raise _unknown(word, tr("service"), known)


def changes(before: Selection, after: Selection) -> list[str]:
    """What changes in the stack's file, one line each."""
    lines = []
    if before.profiles != after.profiles:
        lines.append(f"profiles: {_list(before.profiles)} → {_list(after.profiles)}")
    for name in sorted({*before.enabled, *after.enabled}):
        old, new = before.enabled.get(name), after.enabled.get(name)
        if old != new:
            lines.append(f"services.{name}.enabled: {_word(old)} → {_word(new)}")
    return lines


def _list(names: tuple[str, ...]) -> str:
    return f"[{', '.join(names)}]"


def _word(value: bool | None) -> str:
    return "-" if value is None else str(value).lower()


def _unknown(word: str, what: str, known: list[str]) -> SelectionError:
    near = difflib.get_close_matches(word, known, n=1)
    hint = tr("did you mean {near}? ", near=near[0]) if near else ""
    return SelectionError(tr("no {what} {word!r}. {hint}known: ", what=what, word=word, hint=hint) + ", ".join(known))
