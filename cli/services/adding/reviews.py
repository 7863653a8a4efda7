"""Takes over the review of a server that the list of reviewed servers has, when a user names its package instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.services.foreign_catalog import Entry
from messages import tr

#: What the review says that a service needs; a user's own choice of these stays.
_NEEDS = ("debian_packages", "cpus", "tmp_mib", "max_call_seconds", "max_replicas", "seccomp")


def with_review(
    content: Mapping[str, Any], kind: str, package: str, entries: Mapping[str, Entry]
) -> tuple[dict[str, Any], str | None]:
    """Return the content of service.yaml with the review of its package, and a remark about it for the user.

    The reviewed kinds of tools and accepted findings, the memory and what else the server needs are taken over only if
    the reviewed version is the one of `content`; otherwise the remark names it. Whether the server may reach the Internet
    stays as the user decided. Without a review, both are as they were.
    `kind` is the source's kind, such as npm, and `package` its name without the version.
    """
    for name, entry in entries.items():
        if (entry.source.kind, entry.source.package) != (kind, package) or not package:
            continue
        reference = content["source"][kind]
        if entry.source.reference != reference:
            return dict(content), tr(
                "{reviewed} of this package was reviewed: ./deploy.sh add-service {name}",
                reviewed=entry.source.reference,
                name=name,
            )
        remark = tr(
            "{reference} is among the reviewed servers as {name}; its review is used", reference=reference, name=name
        )
        return _taken_over(content, entry), remark
    return dict(content), None


def _taken_over(content: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
    reviewed = entry.service(content["port"], "en")
    needs = {key: reviewed[key] for key in _NEEDS if key in reviewed}
    source = {key: reviewed["source"][key] for key in ("tools", "accepted") if key in reviewed["source"]}
    return {
        **needs,
        **content,
        "memory_mib": max(content.get("memory_mib", 0), reviewed.get("memory_mib", 0)),
        "source": {**source, **content["source"]},
    }
