"""What a change does, as one Markdown comment on a pull request: a pure function of `pulumi preview --json` and git.

Values that are secret are never in it: Pulumi masks its own; settings and environment variables are masked by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from cli.engine.stored_data import holds_data
from cli.terminal.masking import HIDDEN, SECRET_NAME
from infra.parts.data_volumes import DATA_FOLDER
from infra.schema.key_paths import dotted
from infra.services.contract_diff import MARKS, Change
from toolchain.language import tr

#: First line of the comment, by which it is found again and updated in place.
MARKER = "<!-- dyber-preview -->"
#: What Pulumi writes for a text that is not known before the update, and a stand-in for it.
UNKNOWN, LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9", "\0"
#: GitHub refuses comments of more characters.
MOST_CHARACTERS = 60_000
#: Differences of longer texts are counted, not shown.
MOST_TEXT = 200

#: By operation: a sign, and its names.
OPS = {
    "create": ("➕", "新建", "create"),
    "replace": ("🔁", "替换", "replace"),
    "update": ("✏️", "更新", "update"),
    "delete": ("🗑️", "删除", "delete"),
}
#: Steps that are parts of a replacement.
_PARTS = {"create-replacement": "replace", "delete-replaced": "replace"}
KINDS = {
    "Container": ("容器", "container"),
    "RemoteImage": ("镜像", "image"),
    "Network": ("网络", "network"),
    "Volume": ("数据卷", "volume"),
    "RandomBytes": ("令牌", "token"),
    "RandomId": ("编号", "id"),
}
SERVICE = "dyber:service:McpService"
LOST, KEPT = ("数据会被删除", "data will be deleted"), ("数据保留", "data kept")


@dataclass(frozen=True)
class StackPreview:
    """`preview`: the document that `pulumi preview --json` printed, or None where it failed with `error`;
    `settings_before` and `settings_after`: the stack's file at the base of the change and now."""

    stack: str
    preview: Mapping[str, Any] | None
    settings_before: str = ""
    settings_after: str = ""
    error: str = ""


@dataclass(frozen=True)
class Step:
    """One resource that changes; `old_first`: a replacement deletes the old one before the new one is there;
    `retained`: where it is deleted or replaced, only Pulumi forgets the old one, which stays on the engine."""

    op: str
    urn: str
    old: Mapping[str, Any] = field(default_factory=dict)
    new: Mapping[str, Any] = field(default_factory=dict)
    reasons: Sequence[str] = ()
    old_first: bool = False
    retained: bool = False

    @property
    def name(self) -> str:
        """The resource's name, the last part of its URN."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def types(self) -> list[str]:
        """The types of the components it is in, outermost first, and its own."""
        return self.urn.split("::")[2].split("$")

    @property
    def kind(self) -> str:
        """The last part of the resource's type."""
        return self.types[-1].rsplit(":", 1)[-1]


def render(previews: Sequence[StackPreview], tools: Mapping[str, Sequence[Change]], revision: str = "") -> str:
    """The comment. `tools`: by service, how its contract changes; `revision`: the commit that was previewed."""
    parts = [MARKER, f"## {tr('部署预览', 'Deployment preview')}" + (f" `{revision[:12]}`" if revision else "")]
    for item in previews:
        parts += ["", *_stack(item)]
    parts += ["", *_tools(tools)]
    text = "\n".join(parts).rstrip() + "\n"
    if len(text) <= MOST_CHARACTERS:
        return text
    end = tr("…（太长，其余从略；完整内容：./deploy.sh preview）", "… (too long; all of it: ./deploy.sh preview)")
    return text[: MOST_CHARACTERS - len(end) - 2] + "\n" + end + "\n"


def steps(preview: Mapping[str, Any]) -> list[Step]:
    """The resources that change, components and providers left out; a replacement is one step."""
    found: dict[str, Step] = {}
    order: dict[str, list[str]] = {}
    for item in preview.get("steps") or ():
        op, urn = str(item["op"]), str(item["urn"])
        order.setdefault(urn, []).append(op)
        step_op = _PARTS.get(op, op)
        kind = urn.split("::")[2].split("$")[-1]
        if step_op not in OPS or kind.startswith(("dyber:", "pulumi:")):
            continue
        old = (item.get("oldState") or {}).get("inputs") or (found[urn].old if urn in found else {})
        new = (item.get("newState") or {}).get("inputs") or (found[urn].new if urn in found else {})
        reasons = item.get("replaceReasons") or item.get("diffReasons") or (found[urn].reasons if urn in found else ())
        retained = bool((item.get("oldState") or {}).get("retainOnDelete")) or (urn in found and found[urn].retained)
        found[urn] = Step(step_op, urn, old, new, tuple(reasons), retained=retained)
    return [replace(step, old_first=_old_first(order[urn], step)) for urn, step in found.items()]


def _old_first(ops: list[str], step: Step) -> bool:
    if step.op != "replace":
        return False
    if {"delete-replaced", "create-replacement"} <= set(ops):
        return ops.index("delete-replaced") < ops.index("create-replacement")
    return False


def changed_settings(before: str, after: str) -> list[tuple[str, str, str]]:
    """(key, before, after) of the settings that differ between two texts of a stack's file, secrets masked."""
    old, new = _settings(before), _settings(after)
    return [
        (dotted(path), _shown(path, old.get(path)), _shown(path, new.get(path)))
        for path in sorted({*old, *new})
        if old.get(path) != new.get(path)
    ]


def _stack(item: StackPreview) -> Iterator[str]:
    if item.preview is None:
        yield f"### {item.stack}: {tr('预览失败', 'the preview failed')}"
        yield from _block(item.error.strip().splitlines()[-30:])
        return
    found = steps(item.preview)
    settings = changed_settings(item.settings_before, item.settings_after)
    counts = [(op, sum(step.op == op for step in found)) for op in OPS]
    told = " · ".join(f"{tr(*OPS[op][1:])} {count}" for op, count in counts if count)
    yield f"### {item.stack}: {told or tr('没有变化', 'no changes')}"
    if settings:
        yield ""
        yield f"| {tr('设置', 'setting')} | {tr('之前', 'before')} | {tr('之后', 'after')} |"
        yield "|---|---|---|"
        for key, before, after in settings:
            yield f"| `{_cell(key)}` | {_code(before)} | {_code(after)} |"
    if not found:
        return
    yield ""
    yield f"| {tr('变化', 'change')} | {tr('资源', 'resource')} | {tr('什么变了', 'what changes')} |"
    yield "|---|---|---|"
    for step in sorted(found, key=lambda step: (list(OPS).index(step.op), step.name)):
        sign, zh, en = OPS[step.op]
        kind = tr(*KINDS.get(step.kind, (step.kind, step.kind)))
        yield f"| {sign} {tr(zh, en)} | {kind} `{_cell(step.name)}` | {what(step)} |"
    yield ""
    yield from effects(found)


def what(step: Step) -> str:
    """Which properties a replacement or update is about, and what becomes of data, in Markdown, secrets masked."""
    told = []
    if _holds_data(step) and step.op in ("delete", "replace"):
        told.append(tr(*(KEPT if step.retained else LOST)))
    if step.op not in ("replace", "update"):
        return "".join(told)
    for key in step.reasons:
        difference = "; ".join(_difference(str(key), step.old.get(key), step.new.get(key)))
        told.append(f"`{_cell(str(key))}`" + (f": {difference}" if difference else ""))
    return "<br>".join(told)


def plain(markdown: str) -> str:
    """Such Markdown as a terminal shows it."""
    return markdown.replace("<br>", "\n").replace("`", "").replace("\\|", "|").replace("\\\\", "\\")


def _difference(key: str, old: Any, new: Any) -> Iterator[str]:
    if UNKNOWN in (old, new) or not (isinstance(old, list) or isinstance(new, list)):
        if old != new and not isinstance(old, Mapping) and not isinstance(new, Mapping):
            path = key.split(".")
            yield f"{_code(_shown(path, old))} → {_code(_shown(path, new))}"
        return
    # What appears or disappears whole is a list that was or will be empty.
    before, after = old or [], new or []
    removed, added = (
        [value for value in before if value not in after],
        [value for value in after if value not in before],
    )
    if all(isinstance(value, str) for value in [*before, *after]):
        if UNKNOWN not in after:
            yield from (f"− {_code(_variable(value))}" for value in removed)
        yield from (f"+ {_code(_variable(value))}" for value in added if value != UNKNOWN)
        return
    files = {str(entry["file"]) for entry in [*removed, *added] if isinstance(entry, Mapping) and entry.get("file")}
    yield from (f"`{_cell(name)}`" for name in sorted(files))


def _variable(text: str) -> str:
    """`NAME=value`, with the value hidden where the name says that it is secret."""
    name, separator, value = text.partition("=")
    return f"{name}={HIDDEN}" if separator and SECRET_NAME.search(name) else _short(f"{name}{separator}{value}")


def effects(found: Sequence[Step]) -> Iterator[str]:
    """What users notice: which services lose no call, what is interrupted, which data is lost."""
    containers = [step for step in found if step.kind == "Container" and step.op == "replace"]
    moved = sorted(step.name.removesuffix("-network") for step in found if _moves(step))
    served = [step for step in containers if _serves(step) and _of(step) not in moved]
    smooth = sorted({step.name for step in served if not step.old_first})
    cut = sorted({step.name for step in containers if step.old_first and step.new.get("mustRun") is not False})
    data = [step for step in found if _holds_data(step) and step.op in ("replace", "delete")]
    lost = sorted(step.name for step in data if not step.retained)
    deleted = {step.old.get("name") for step in data if not step.retained}
    stopped = [step for step in found if step.kind == "Container" and step.op == "delete"]
    kept = {step.name for step in data if step.retained}
    kept |= {source for step in stopped for source in _mounted_data(step) if source not in deleted}
    gone = sorted(step.name for step in found if step.kind == "Container" and step.op == "delete" and _serves(step))
    if smooth:
        yield f"- ✅ {tr('不丢调用（新的健康后旧的才退出）', 'no call is lost (the new one is healthy first)')}: {_names(smooth)}"
    if cut:
        yield f"- ⚠️ {tr('约 2 秒内拒绝新连接', 'new connections are refused for about 2 s')}: {_names(cut)}"
    if moved:
        told = tr("几秒内得到 502 或 503（网络被替换）", "calls get 502 or 503 for some seconds (another network)")
        yield f"- ⚠️ {told}: {_names(moved)}"
    if gone:
        yield f"- ⚠️ {tr('不再服务', 'no longer served')}: {_names(gone)}"
    if lost:
        yield f"- ❗ **{tr(*LOST)}**: {_names(lost)}"
    if kept:
        yield f"- 💾 {tr(*KEPT)}: {_names(sorted(kept))}"


def _serves(step: Step) -> bool:
    stays = (step.new or step.old).get("mustRun") is not False
    return step.name == "gateway-nginx" or (SERVICE in step.types and stays)


def _holds_data(step: Step) -> bool:
    """Whether it is a volume with data, or with the gateway's certificates; other volumes are written anew."""
    return step.kind == "Volume" and (holds_data(step.urn) or step.name == "gateway-configuration")


def _mounted_data(step: Step) -> Iterator[str]:
    """The data volumes that a container mounted."""
    for mount in step.old.get("mounts") or ():
        if isinstance(mount, Mapping) and mount.get("target") == DATA_FOLDER and mount.get("source"):
            yield str(mount["source"])


def _moves(step: Step) -> bool:
    """Whether a service leaves its network for another one: the gateway may be there before its containers are."""
    return step.kind == "Network" and step.op == "replace" and SERVICE in step.types


def _of(step: Step) -> str:
    """The service that a container is of."""
    return re.sub(r"-server(-[0-9]+)?$", "", step.name)


def _tools(tools: Mapping[str, Sequence[Change]]) -> Iterator[str]:
    changed = {service: changes for service, changes in tools.items() if changes}
    if not changed:
        yield f"**{tr('工具', 'Tools')}**: {tr('没有变化', 'no changes')}"
        return
    yield f"### {tr('智能体看到的工具', 'Tools that agents see')}"
    yield f"`✗` {tr('影响调用方', 'breaks callers')} · `~` {tr('智能体读到的内容改变', 'changes what agents read')} · `+` {tr('兼容', 'compatible')}"
    for service, changes in sorted(changed.items()):
        lines = [line for change in changes for line in change.lines(tr(change.zh, change.en))]
        worst = MARKS[min(change.effect for change in changes)]
        yield from ("", f"<details open><summary><b>{service}</b> {worst}</summary>", "")
        yield from _block(lines)
        yield "</details>"


def _settings(text: str) -> dict[tuple[str, ...], Any]:
    """Settings by path, without the namespace; a secret is its ciphertext, which tells only that it changed."""
    found: dict[tuple[str, ...], Any] = {}

    def walk(path: tuple[str, ...], value: Any) -> None:
        if isinstance(value, Mapping) and value and "secure" not in value:
            for key, inner in value.items():
                walk((*path, str(key)) if path else (str(key).removeprefix("dyber:"),), inner)
        else:
            found[path] = value

    if config := (yaml.safe_load(text) or {}).get("config"):
        walk((), config)
    return found


def _shown(path: Sequence[str], value: Any) -> str:
    if value is None:
        return "–"
    if value == UNKNOWN:
        return LATER
    if isinstance(value, Mapping) and "secure" in value:
        return HIDDEN
    # What a tool is called says nothing of the word beside it, which is read or write.
    is_a_tool = list(path[2:-1]) == ["contract", "tools"]
    if "secrets" in path and not is_a_tool:
        return HIDDEN
    if SECRET_NAME.search(path[-1]) and not is_a_tool and not isinstance(value, bool | int | float | Mapping):
        return HIDDEN
    return _short(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else tr(f"（{len(text)} 个字符）", f"({len(text)} characters)")


def _block(lines: Sequence[str]) -> Iterator[str]:
    # Longer than any fence in the text, which comes from what is previewed.
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", "\n".join(lines)))])
    yield f"{fence}diff"
    yield from lines
    yield fence


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{_cell(name)}`" for name in names)


def _code(text: str) -> str:
    if text == LATER:
        return tr("（部署时才知道）", "(known after the update)")
    return text if text in ("–", HIDDEN) else f"`{_cell(text)}`"


def _cell(text: str) -> str:
    """Text that ends neither a table's cell nor a code span, and mentions nobody."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("`", "'").replace("\n", " ").replace("\r", " ")
