"""The rule T06: a text refers to keys, passwords or files that hold them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.services.scan.findings import Level
from infra.services.scan.normalising import is_negated
from infra.services.scan.rules.hits import Hit
from infra.services.scan.rules.matching import ZH_FEW, any_of, words
from infra.services.scan.texts import Text

_FILES = any_of(
    r"~/\.(?:ssh|aws|gnupg|kube|docker|netrc|npmrc|pypirc|config/gcloud|git-credentials|bash_history|zsh_history)\b",
    r"(?:/home/\w+|/root|%userprofile%|\$home)[/\\]\.(?:ssh|aws|gnupg|kube|netrc)\b",
    r"(?<![\w.])\.ssh[/\\]|\bid_(?:rsa|ed25519|ecdsa|dsa)\b|\.aws/credentials|\bauthorized_keys\b|\bwallet\.dat\b",
    r"/proc/(?:self|\d+)/environ|/etc/(?:shadow|passwd)\b",
    r"\bmcp\.json\b|\.cursor[/\\]|claude_desktop_config\.json",
    r"\bkeychain\b|钥匙串|(?:browser|chrome|firefox)(?:'s)? cookies|浏览器的? ?cookies?",
)
_DOTENV = re.compile(r"(?<![\w.*])\.env\b(?![.\w-])")
_VARIABLES = any_of(
    r"\b(?:all|every|contents? of|dump of|values? of)(?: of)?(?: the| your| all)* environment(?: variables)?\b",
    rf"\bprintenv\b|(?:全部|所有)(?:的)?环境变量|(?:把|将){ZH_FEW}环境变量",
)
_SECRET = words(
    "api[_-]?keys? passwords? access_tokens? credentials private_keys? secret_keys? ssh_keys? seed_phrase mnemonic "
    "auth(?:entication|orization)?_tokens? session_tokens? environment_variables"
).replace("[ -]", "[ _-]")
_ZH_SECRET = "(?:密钥|私钥|密码|口令|令牌|凭据|凭证|助记词|api ?key|token|环境变量)"
_FILLING = words(
    "put pass include insert add append write copy paste attach fill enter supply place embed encode provide"
)
_ZH_FILLING = words(
    "填入 填到 填写 填进 写入 写到 传入 传给 传进来 放入 放到 放进 附上 附在 附加 粘贴 复制到 带上 一并 提供给 作为"
)
_ZH_WHOSE = "(?:用户|系统|你|所有|全部|本机|当前)"
#: "Pass your API key as `note`": whether this is odd depends on the name of the parameter, in the group `target`.
_REQUESTS = (
    re.compile(
        rf"\b{_FILLING} (?:[\w'-]+ ){{0,4}}?(?:the user's|user's|your|all|any|their|system|every)(?: [\w'-]+){{0,2}}? ?"
        rf"{_SECRET}\b[^.;]{{0,24}}?\b(?:in|into|as|to|with|via|inside)\b (?:the |a |an )?[`'\"]?(?P<target>[\w-]+)"
    ),
    re.compile(
        r"\b(?:attach|include|append|embed|collect|extract) (?:[\w'-]+ ){0,4}?(?:the user's|user's|their|every) "
        rf"(?:[\w'-]+ ){{0,2}}?{_SECRET}(?P<target>)"
    ),
    re.compile(rf"\b{_SECRET} of the user\b[^.;]{{0,30}}?\b(?:include|attach|add|pass|put|send|append)\b(?P<target>)"),
    re.compile(
        rf"\buser (?:shares|enters|gives|types|mentions|provides) (?:a |an |any |their |his |her"
        rf" )?{_SECRET}[^.;]{{0,40}}?"
        r"\b(?:store|save|record|send|pass|put|submit|copy|write|include)\b(?P<target>)"
    ),
    re.compile(
        rf"(?:把|将){_ZH_WHOSE}[^,，。;；]{{0,10}}?{_ZH_SECRET}{ZH_FEW}{_ZH_FILLING}(?:到|至|于|进)? ?[`'\"]?(?P<target>[\w-]*)"
    ),
    re.compile(rf"{_ZH_FILLING}(?:用户|系统|所有|全部|本机)的?{ZH_FEW}{_ZH_SECRET}(?P<target>)"),
)
#: Parameters that secrets are for.
_MEANT_FOR_SECRETS = re.compile(
    r"key|token|auth|secret|passw|credential|header|env|config|setting|login|密|令牌|凭|口令"
)
_READING_ORDER = any_of(
    r"(?:^|[,;:] ?|\b(?:first|then|also|please|must|always|should|and|to|you|now|agent) )"
    r"(?:read|open|cat|load|get|fetch|collect|retrieve|extract|dump|list|look up|access|find|print)\b",
    "读取|打开|获取|收集|提取|读出|查看|读一下|读入|导出|执行",
)
_FILLING_ORDER = any_of(rf"\b{_FILLING}\b", _ZH_FILLING, "填进")
_FORBIDDEN = re.compile(
    r"(?:\b(?:never|not|cannot|without|no)|n't) (?!(?:[^.]* )?(?:forget|fail|hesitate|neglect|omit|only|before"
    r"|until)\b)"
    r"(?:[\w'`\"/-]+ ){0,4}[`'\"(]?$"
)


def secret_source(text: Text) -> Iterator[Hit]:
    """T06: the text refers to keys, passwords or files that hold them.

    It weighs more where the same sentence wants them read or filled in. Tools may well read the settings of a project
    in `.env`, or name environment variables; of these only sentences count that want them from the agent.
    """
    for sentence in text.sentences:
        form = sentence.folded
        is_filled_in = bool(_FILLING_ORDER.search(form))
        is_read = bool(_READING_ORDER.search(form))
        if _mentioned(_FILES, form):
            yield Hit("T06", Level.BLOCK if is_filled_in or is_read else Level.WARN, sentence.written)
        if _mentioned(_DOTENV, form) and (is_filled_in or is_read):
            yield Hit("T06", Level.BLOCK if is_filled_in else Level.WARN, sentence.written)
        if _mentioned(_VARIABLES, form) and is_filled_in:
            yield Hit("T06", Level.BLOCK, sentence.written)
        for pattern in _REQUESTS:
            match = pattern.search(form)
            if match and not _MEANT_FOR_SECRETS.search(match["target"]) and not is_negated(form, match.start()):
                yield Hit("T06", Level.BLOCK, sentence.written)


def _mentioned(pattern: re.Pattern[str], form: str) -> bool:
    """Tell whether a sentence names a secret without denying or forbidding it, as in "never reads ~/.ssh"."""
    return any(
        not is_negated(form, match.start()) and not _FORBIDDEN.search(form[: match.start()])
        for match in pattern.finditer(form)
    )
