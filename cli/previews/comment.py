"""Writes what a change does as one Markdown comment on a pull request, from `pulumi preview --json` and git.

The comment has no secrets: Pulumi masks its secrets, and settings and environment variables are masked by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.previews.model import KINDS, OPS, UNKNOWN, Effects, StackPreview, Step, effects, loses_or_keeps_data, steps
from cli.previews.tool_lists import ToolList
from cli.previews.values import NOT_YET_KNOWN, changed_settings, shown_value, shown_variable
from cli.terminal.masking import HIDDEN
from infra.services.contract_diff import MARKS, Change
from infra.services.scan import Finding, Level
from messages import mark, tr

#: The first line of the comment, by which a workflow finds it and updates it in place.
MARKER = "<!-- dyber-preview -->"
#: GitHub refuses longer comments.
MAX_CHARACTERS = 60_000
_FINDING_SIGNS = {Level.BLOCK: "❗", Level.WARN: "⚠️", Level.INFO: "ℹ️"}
LOST, KEPT = mark("data will be deleted"), mark("data kept")


def render(
    previews: Sequence[StackPreview],
    tools: Mapping[str, Sequence[Change]],
    revision: str = "",
    findings: Mapping[str, Sequence[Finding]] | None = None,
) -> str:
    """Return the comment.

    `tools` are the changes of contracts by service, `revision` is the commit that was previewed, and `findings` are by
    service what the scan finds in the new contracts.
    """
    parts = [MARKER, f"## {tr('Deployment preview')}" + (f" `{revision[:12]}`" if revision else "")]
    for item in previews:
        parts += ["", *_stack(item)]
    parts += ["", *_tools(tools), *_findings(findings or {})]
    text = "\n".join(parts).rstrip() + "\n"
    if len(text) <= MAX_CHARACTERS:
        return text
    ending = tr("… (too long; for everything see ./deploy.sh preview)")
    return text[: MAX_CHARACTERS - len(ending) - 2] + "\n" + ending + "\n"


def _stack(item: StackPreview) -> Iterator[str]:
    if item.preview is None:
        yield f"### {item.stack}: {tr('the preview failed')}"
        yield from _block(item.error.strip().splitlines()[-30:])
        return
    changed = steps(item.preview)
    yield from _changes(item, changed)
    yield from _tool_lists(item.tool_lists)


def _changes(item: StackPreview, changed: Sequence[Step]) -> Iterator[str]:
    settings = changed_settings(item.settings_before, item.settings_after)
    counts = [(op, sum(step.op == op for step in changed)) for op in OPS]
    summary = " · ".join(f"{tr(OPS[op][1])} {count}" for op, count in counts if count)
    yield f"### {item.stack}: {summary or tr('no changes')}"
    if settings:
        yield ""
        yield f"| {tr('setting')} | {tr('before')} | {tr('after')} |"
        yield "|---|---|---|"
        for key, before, after in settings:
            yield f"| `{_cell(key)}` | {_code(before)} | {_code(after)} |"
    if not changed:
        return
    yield ""
    yield f"| {tr('change')} | {tr('resource')} | {tr('what changes')} |"
    yield "|---|---|---|"
    for step in sorted(changed, key=lambda step: (list(OPS).index(step.op), step.name)):
        sign, name = OPS[step.op]
        kind = tr(KINDS.get(step.kind, step.kind))
        yield f"| {sign} {tr(name)} | {kind} `{_cell(step.name)}` | {step_details(step)} |"
    yield ""
    yield from effect_lines(effects(changed))


def step_details(step: Step) -> str:
    """Return the changed properties of a step, and what happens to its data, as Markdown without secrets."""
    parts = []
    if loses_or_keeps_data(step):
        parts.append(tr(KEPT if step.retained else LOST))
    if step.op not in ("replace", "update"):
        return "".join(parts)
    for key in step.reasons:
        difference = "; ".join(_difference(str(key), step.old.get(key), step.new.get(key)))
        parts.append(f"`{_cell(str(key))}`" + (f": {difference}" if difference else ""))
    return "<br>".join(parts)


def plain(markdown: str) -> str:
    """Return the Markdown of `step_details` and `effect_lines` as plain text for a terminal."""
    return markdown.replace("<br>", "\n").replace("`", "").replace("\\|", "|").replace("\\\\", "\\")


def _difference(key: str, old: Any, new: Any) -> Iterator[str]:
    if UNKNOWN in (old, new) or not (isinstance(old, list) or isinstance(new, list)):
        if old != new and not isinstance(old, Mapping) and not isinstance(new, Mapping):
            path = key.split(".")
            yield f"{_code(shown_value(path, old))} → {_code(shown_value(path, new))}"
        return
    # A list that appears or disappears is compared with an empty list.
    before, after = old or [], new or []
    removed, added = (
        [value for value in before if value not in after],
        [value for value in after if value not in before],
    )
    if all(isinstance(value, str) for value in [*before, *after]):
        if UNKNOWN not in after:
            yield from (f"− {_code(shown_variable(value))}" for value in removed)
        yield from (f"+ {_code(shown_variable(value))}" for value in added if value != UNKNOWN)
        return
    files = {str(entry["file"]) for entry in [*removed, *added] if isinstance(entry, Mapping) and entry.get("file")}
    yield from (f"`{_cell(name)}`" for name in sorted(files))


def effect_lines(noticed: Effects) -> Iterator[str]:
    """Yield what users notice of a change as items of a Markdown list."""
    if noticed.smooth:
        text = tr("no call is lost (the new container is healthy before the old one stops)")
        yield f"- ✅ {text}: {_names(noticed.smooth)}"
    if noticed.interrupted:
        text = tr("new connections are refused for about 2 s")
        yield f"- ⚠️ {text}: {_names(noticed.interrupted)}"
    if noticed.moved:
        text = tr("calls get 502 or 503 for some seconds (the network is replaced)")
        yield f"- ⚠️ {text}: {_names(noticed.moved)}"
    if noticed.gone:
        yield f"- ⚠️ {tr('no longer served')}: {_names(noticed.gone)}"
    if noticed.lost:
        yield f"- ❗ **{tr(LOST)}**: {_names(noticed.lost)}"
    if noticed.kept:
        yield f"- 💾 {tr(KEPT)}: {_names(noticed.kept)}"


def _tool_lists(lists: Sequence[ToolList]) -> Iterator[str]:
    """Yield what the hub lists, folded: the size of each list, and the tools of each group."""
    if not lists:
        return
    has_exceeded = any(item.exceeded for item in lists)
    yield ""
    yield f"<details><summary>{'⚠️ ' if has_exceeded else ''}{tr('What the hub lists')}</summary>"
    yield ""
    for item in lists:
        yield f"- {list_heading(item)}"
        yield from (f"  - ⚠️ {_cell(sentence)}" for sentence in item.exceeded)
    for item in lists:
        if not item.client:
            yield ""
            yield f"| `{_cell(item.address)}` | {tr('service')} | {tr('tool')} |"
            yield "|---|---|---|"
            yield from (
                f"| `{_cell(tool.exposed)}` | {_cell(tool.service)} | `{_cell(tool.tool)}` |" for tool in item.tools
            )
    yield "</details>"


def list_heading(item: ToolList) -> str:
    """Return the address of a list, who gets it and how large it is, as Markdown."""
    place = f"`{item.address}`"
    if item.client:
        place = tr("{address} for the client {client}", address=place, client=f"`{item.client}`")
    size = tr("{count} tools, about {tokens} tokens", count=len(item.tools), tokens=f"{item.tokens:,}")
    unknown = "" if item.is_complete else " " + tr("(more, as not all tools are known)")
    return f"{place}: {size}{unknown}"


def _tools(tools: Mapping[str, Sequence[Change]]) -> Iterator[str]:
    changed = {service: changes for service, changes in tools.items() if changes}
    if not changed:
        yield f"**{tr('Tools')}**: {tr('no changes')}"
        return
    yield f"### {tr('Tools that agents see')}"
    yield f"`✗` {tr('breaks callers')} · `~` {tr('changes what agents read')} · `+` {tr('compatible')}"
    for service, changes in sorted(changed.items()):
        lines = [line for change in changes for line in change.lines()]
        worst = MARKS[min(change.effect for change in changes)]
        yield from ("", f"<details open><summary><b>{service}</b> {worst}</summary>", "")
        yield from _block(lines)
        yield "</details>"


def _findings(findings: Mapping[str, Sequence[Finding]]) -> Iterator[str]:
    """Yield what the scan finds in new texts: those that stop and warn open, mere notes folded."""
    for service, items in sorted(findings.items()):
        if not items:
            continue
        worst = min(finding.level for finding in items)
        state = "" if worst is Level.INFO else " open"
        yield from ("", f"<details{state}><summary>{_FINDING_SIGNS[worst]} <b>{service}</b>: ")
        yield f"{tr('what the scan of tools finds in new texts')}</summary>"
        yield ""
        yield from _block([line for finding in items for line in finding.lines()])
        yield "</details>"


def _block(lines: Sequence[str]) -> Iterator[str]:
    # The fence is longer than any fence in the text, which comes from the pull request.
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", "\n".join(lines)))])
    yield f"{fence}diff"
    yield from lines
    yield fence


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{_cell(name)}`" for name in names)


def _code(text: str) -> str:
    if text == NOT_YET_KNOWN:
        return tr("(known after the update)")
    return text if text in ("–", HIDDEN) else f"`{_cell(text)}`"


def _cell(text: str) -> str:
    """Escape text for a code span in a cell of a table, so that it can neither end them nor mention users."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("`", "'").replace("\n", " ").replace("\r", " ")
