"""Writes what the scan found into the README.md of a service, so that whoever reviews the folder sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from infra.services.scan import Finding, Level
from infra.services.scan.codes import CODES
from infra.services.scan.findings import LEVEL_WORDS, covers
from infra.services.scan.normalising import shown
from infra.services.source import AcceptedFinding
from messages import in_language

#: Between these lines the section is written anew; the rest of the file belongs to people.
_BEGIN, _END = "<!-- findings: begin -->", "<!-- findings: end -->"
_SECTION = re.compile(rf"^{re.escape(_BEGIN)}$.*?^{re.escape(_END)}$\n?", re.MULTILINE | re.DOTALL)
#: Words of a server are cut after so many characters, so that they cannot be instructions.
_LONGEST = 60
_WRITTEN_BY = "由 `add-service` 和 `update-service` 写入；逐条的说明见 `./deploy.sh tools scan`。"
_NOT_LOOKED = "软件包的文件和发布时间没有取到，所以没有检查 S02、S03、S06。"


def section(findings: Sequence[Finding], accepted: Iterable[AcceptedFinding], *, looked: bool) -> str:
    """Return the section about findings in Chinese, as the README is: code, level, what, where; notes are left out.

    Of texts that models read, only the place is named; other words of a server are quoted and cut. `accepted` are the
    findings that a person accepted; `looked` tells whether the package's files and age were looked at.
    """
    accepted = tuple(accepted)
    findings = [finding for finding in findings if finding.level < Level.INFO]
    lines = [_BEGIN, "## 扫描发现", ""]
    if findings:
        lines += ["| 代码 | 级别 | 内容 | 位置 |", "|---|---|---|---|"]
        lines += [_row(finding, accepted) for finding in findings]
    else:
        lines.append("扫描没有发现问题。")
    if not looked:
        lines += ["", _NOT_LOOKED]
    return "\n".join([*lines, "", _WRITTEN_BY, _END, ""])


def replaced(text: str, new: str) -> str:
    """Return the text of a README with the section `new`, in place of the one that it has or at its end."""
    if _SECTION.search(text):
        return _SECTION.sub(lambda match: new, text, count=1)
    return f"{text.rstrip()}\n\n{new}" if text.strip() else new


def _row(finding: Finding, accepted: Sequence[AcceptedFinding]) -> str:
    level = in_language("zh", LEVEL_WORDS[finding.level])
    for entry in accepted:
        if covers(entry, finding):
            level = f"已接受：{_quoted(entry.reason)}"
    what = in_language("zh", CODES[finding.code].title)
    return f"| {finding.code} | {level} | {what} | {_place(finding)} |"


def _place(finding: Finding) -> str:
    """Return where a finding is; that of a package has no place, and its words are names, paths or lines of code."""
    words = [finding.place] if finding.place else []
    if finding.code.startswith("S"):
        words += [*finding.details.values(), finding.excerpt]
    return " ".join(_quoted(word) for word in words if word) or "整个服务"


def _quoted(words: str) -> str:
    """Return words as code in a cell of a table, in one line and cut."""
    plain = shown(words, _LONGEST).replace("`", "'").replace("|", "¦")
    return f"`{plain}`"
