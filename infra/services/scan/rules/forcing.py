"""The rules T09 and T16: a tool wants to come before everything else, or insists very much."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.services.scan.findings import Level
from infra.services.scan.rules.hits import Hit
from infra.services.scan.rules.matching import any_of, sentences_that_want
from infra.services.scan.texts import Text

_FORCING = any_of(
    r"\b(?:before|prior to) (?:(?:using|calling|invoking|running|you (?:use|call)) )?(?:any|every|all|each)(?: of the)?"
    r"(?: other)? (?:tools?|answers?|repl(?:y|ies)|requests?|tasks?|actions?|calls?)\b",
    r"\b(?:must|always|should always) (?:first )?(?:call|use|invoke|run|consult) (?:this|it)\b(?: \w+){0,2}? ?"
    r"(?:first|before|whenever|for every|on every|each time)",
    r"\b(?:must|always) (?:call|use|invoke|run) this (?:tool|function)\b",
    r"\b(?:this tool|it) (?:must|should) (?:always )?be (?:called|used|invoked|run) (?:first|before)\b",
    r"\bbefore (?:calling|using|invoking|running) [`'\"\w-]+,? (?:you must|you should|must|always|first)(?:"
    r" \w+){0,2}? ?"
    r"(?:call|use|invoke|run) this\b",
    r"\bfirst tool (?:you|to) (?:call|use|must)",
    "(?:任何|所有|每次|其他|其它|一切|每一次|回答|回复)[^,，。;；]{0,10}?(?:之前|以前|前)[,，]?[^,，。;；]{0,6}?"
    "(?:必须|务必|都要|都应|应当|应先|需要?先|请先|首先|一律先|先)[^,，。;；]{0,4}?(?:调用|使用|执行|运行)",
    "(?:必须|务必|总是|始终|一定要|永远)(?:首先|先|优先)(?:调用|使用|执行)(?:本|此|该|这个)(?:工具|函数|接口)",
)
_EMPHASIS = re.compile(r"\b(?:MUST|ALWAYS|NEVER|CRITICAL|IMPORTANT|MANDATORY)\b|务必|必须|切记|严禁|绝对")
#: So many words of emphasis are normal in one text.
_MOST_EMPHASIS = 2


def forced_order(text: Text) -> Iterator[Hit]:
    """T09: the text wants the tool to be called before everything else."""
    yield from sentences_that_want("T09", Level.INFO, (_FORCING,), text)


def emphasis(text: Text) -> Iterator[Hit]:
    """T16: one text has many words of emphasis."""
    insistent = _EMPHASIS.findall(text.written)
    if len(insistent) > _MOST_EMPHASIS:
        yield Hit("T16", Level.INFO, " ".join(insistent))
