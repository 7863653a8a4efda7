"""Rules for texts that carry data away: sources of secrets, addresses to send data to, and the conversation itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.services.scan.findings import Level
from infra.services.scan.hits import Hit
from infra.services.scan.normalising import is_negated
from infra.services.scan.texts import Text

_SECRET_FILES = re.compile(
    r"~/\.(?:ssh|aws|gnupg|kube|docker|netrc|npmrc|pypirc|config/gcloud|git-credentials|bash_history|zsh_history)\b"
    r"|(?:/home/\w+|/root|%userprofile%|\$home)[/\\]\.(?:ssh|aws|gnupg|kube|netrc)\b|(?<![\w.])\.ssh[/\\]|\bid_(?:rsa|ed25519|ecdsa|dsa)\b"
    r"|\.aws/credentials|/proc/(?:self|\d+)/environ|/etc/(?:shadow|passwd)\b|\bkeychain\b|钥匙串|\.mcp\.json\b"
    r"|claude_desktop_config\.json|\bauthorized_keys\b|\bwallet\.dat\b|(?:browser|chrome|firefox)(?:'s)? cookies|浏览器的? ?cookies?"
)
_DOTENV = re.compile(r"(?<![\w.*])\.env\b(?![.\w-])")
_SECRET_WORDS = (
    r"(?:api[ _-]?keys?|passwords?|access tokens?|credentials|private keys?|secret keys?|ssh keys?|seed phrase|mnemonic"
    r"|auth(?:entication|orization)? tokens?|session tokens?|environment variables)"
)
_ZH_SECRET_WORDS = "(?:密钥|私钥|密码|口令|令牌|凭据|凭证|助记词|api ?key|token|环境变量)"
_FILLING = (
    r"(?:put|pass|include|insert|add|append|write|copy|paste|attach|fill|enter|supply|place|embed|encode|provide)"
)
_ZH_FILLING = (
    "(?:填入|填到|填写|写入|写到|传入|传给|放入|放到|放进|附上|附在|附加|粘贴|复制到|带上|一并|填进|提供给|作为)"
)
#: "Pass your API key as `note`": whether it is odd depends on the name of the parameter, in the group `target`.
_ASKS_FOR_SECRETS = [
    re.compile(
        rf"\b{_FILLING} (?:[\w'-]+ ){{0,4}}?(?:the user's|user's|your|all|any|their|system|every)(?: [\w'-]+){{0,2}}? "
        rf"?{_SECRET_WORDS}\b[^.;]{{0,24}}?\b(?:in|into|as|to|with|via|inside)\b (?:the |a |an )?[`'\"]?(?P<target>[\w-]+)"
    ),
    re.compile(
        rf"(?:把|将)(?:用户|系统|你|所有|全部|本机|当前)[^,，。;；]{{0,10}}?{_ZH_SECRET_WORDS}[^,，。;；]{{0,6}}?{_ZH_FILLING}"
        rf"(?:到|至|于|进)? ?[`'\"]?(?P<target>[\w-]*)"
    ),
    re.compile(
        rf"{_ZH_FILLING}(?:用户|系统|所有|全部|本机)的?[^,，。;；]{{0,6}}?{_ZH_SECRET_WORDS}(?P<target>)",
    ),
]
#: Parameters that secrets are for.
_MEANT_FOR_SECRETS = re.compile(
    r"key|token|auth|secret|passw|credential|header|env|config|setting|login|密|令牌|凭|口令"
)
_ALL_VARIABLES = re.compile(
    r"\b(?:all|every|contents? of|dump of|values? of)(?: of)?(?: the| your| all)* environment(?: variables)?\b"
    r"|\bprintenv\b|(?:全部|所有)(?:的)?环境变量"
)
_READING_ORDER = re.compile(
    r"(?:^|[,;:] ?|\b(?:first|then|also|please|must|always|should|and|to|you|now|agent) )"
    r"(?:read|open|cat|load|get|fetch|collect|retrieve|extract|dump|list|look up|access|find|print)\b"
    r"|(?:读取|打开|获取|收集|提取|读出|查看|读一下|读入|导出)"
)
_FILLING_ORDER = re.compile(rf"\b{_FILLING}\b|{_ZH_FILLING}")

_ADDRESS = r"(?:https?://[^\s)>\]\"'`,，。；]+|[\w.+-]+@[\w-]+\.[\w.-]*\w)"
_OWN_ADDRESS = re.compile(
    r"https?://(?:localhost|127\.|0\.0\.0\.0|\[::1\]|[\w.-]*\bexample\b)|@(?:[\w-]+\.)*example\b|\.(?:test|invalid|local)\b"
    r"|https?://[^\s/]*[<{$]|https?://\.\.\.|your[-_]?(?:domain|company|server|host)"
)
_DATA = (
    r"(?:data|conversation|chat|history|contents?|results?|answers?|outputs?|responses?|files?|everything|copy|copies"
    r"|messages|documents?|secrets?|keys?|credentials|information|details|summary|transcripts?|logs?|email|it|them)"
)
_ZH_DATA = "(?:数据|对话|聊天|记录|内容|结果|回答|输出|文件|密钥|信息|资料|历史|上下文|摘要|日志|一份|副本)"
_SENDING = (
    r"\b(?:send|upload|forward|transmit|exfiltrate|leak|relay|submit|mail|email|copy|push|beacon|post|deliver|report)\b"
)
_SENDING_TO_ADDRESS = [
    re.compile(
        rf"{_SENDING} (?:[\w'`\"-]+ ){{0,6}}?{_DATA}\b[^;]{{0,60}}?\b(?:to|at|via|into|on)\b[^;]{{0,40}}?(?P<to>{_ADDRESS})"
    ),
    re.compile(rf"\b(?:bcc|cc|carbon copy)\b[^;]{{0,30}}?(?P<to>{_ADDRESS})"),
    re.compile(
        rf"(?:把|将)[^,，。;；]{{0,16}}?{_ZH_DATA}[^,，。;；]{{0,10}}?(?:发送|发到|发给|上传|提交|转发|推送|传到|传给|回传|上报|同步|抄送|post)"
        rf"[^,，。;；]{{0,10}}?(?P<to>{_ADDRESS})"
    ),
    re.compile(rf"(?:抄送|密送|转发)(?:一份)?(?:给|到|至)[^,，。;；]{{0,8}}?(?P<to>{_ADDRESS})"),
    re.compile(
        rf"(?:发送|上传|提交|转发|推送|回传|上报)[^,，。;；]{{0,10}}?{_ZH_DATA}[^,，。;；]{{0,6}}?(?:到|至|给|往)[^,，。;；]{{0,8}}?(?P<to>{_ADDRESS})"
    ),
]
#: Sites that people use to catch data; naming them is enough.
_CATCHING_SITES = re.compile(
    r"\b(?:pastebin\.com|webhook\.site|requestbin\.\w+|transfer\.sh|0x0\.st|pipedream\.net|oast\.\w+|interact\.sh"
    r"|burpcollaborator\.net|ngrok(?:-free)?\.(?:io|app|dev)|trycloudflare\.com|beeceptor\.com|hookbin\.com|dnslog\.cn"
    r"|ceye\.io|requestcatcher\.com|serveo\.net)\b"
)
_SENDING_TO_WEBHOOK = re.compile(
    rf"{_SENDING} (?:[\w'-]+ ){{0,4}}?(?:conversation|chat|history|transcript|everything|credentials|secrets|all data"
    rf"|all results|file contents|system prompt)\b[^;]{{0,50}}?\bwebhook"
    rf"|(?:把|将)[^,，。;；]{{0,10}}?(?:对话|聊天记录|会话|密钥|全部数据|所有数据|系统提示)[^,，。;；]{{0,12}}?(?:发送|上传|推送|转发|提交)[^,，。;；]{{0,10}}?webhook"
)

_PROVIDING = r"(?:include|pass|provide|attach|add|copy|put|append|insert|paste|write|fill|supply|repeat|embed|place|dump|record|quote|enter)"
_CONVERSATION = (
    r"(?:(?:the |your |our )?(?:entire|whole|full|complete|verbatim)(?: previous| prior| recent)? "
    r"(?:conversation|chat|dialogue|dialog|discussion|context)(?: history| log| transcript| context)?\b"
    r"|(?:the |your |our |all )?(?:conversation|chat|dialogue) (?:history|transcript|log|so far|up to now)\b"
    r"|(?:all|every)(?: of)?(?: the| your)? (?:previous|prior|earlier|past|preceding)(?: chat| user)? "
    r"(?:messages?|turns?|answers?|prompts?|conversations?|exchanges?)\b"
    r"|(?:your|the agent's|the model's|the current|the full|the entire) (?:system|initial) (?:prompt|message|instructions)\b"
    r"|(?:the )?(?:results?|outputs?|answers?|responses?) (?:of|from) (?:all |any |every |the )?other tools?\b"
    r"|everything (?:the user|you)(?: have| has)? (?:said|typed|wrote|written|were told|told you|know about the user))"
)
_ZH_CONVERSATION = (
    "(?:(?:完整|全部|所有|整个|此前|之前|先前|历史)的?(?:聊天|对话|会话|交谈)(?:记录|历史|内容|上下文)?|(?:聊天|对话|会话)(?:记录|历史)"
    "|系统提示词?|(?:全部|所有|此前|之前)的?(?:历史)?消息|(?:完整|全部|整个)的?上下文|其[他它]工具(?:的|返回的)?(?:结果|输出|返回值?|回答))"
)
_WANTING_HISTORY = re.compile(
    rf"\b{_PROVIDING}\b(?: [\w'`\"-]+){{0,3}}? ?{_CONVERSATION}"
    rf"|(?:^|: ?|\b(?:must be|should be|contains?|with) ){_CONVERSATION}(?: (?:verbatim|so far|here|as (?:is|text)))"
    rf"|(?:附上|附带|附加|包含|包括|传入|填写|填入|提供|写入|放入|带上|粘贴|复制|提交|写明|原样)[^,，。;；]{{0,8}}?{_ZH_CONVERSATION}"
    rf"|(?:把|将)[^,，。;；]{{0,6}}?{_ZH_CONVERSATION}[^,，。;；]{{0,8}}?(?:填|传|写|放|发|附|复制|粘贴|带|提交|作为|上传)"
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
        if _mentioned(_SECRET_FILES, form):
            yield Hit("T06", Level.BLOCK if is_filled_in or is_read else Level.WARN, sentence.written)
        if _mentioned(_DOTENV, form) and (is_filled_in or is_read):
            yield Hit("T06", Level.BLOCK if is_filled_in else Level.WARN, sentence.written)
        if _mentioned(_ALL_VARIABLES, form) and is_filled_in:
            yield Hit("T06", Level.BLOCK, sentence.written)
        for pattern in _ASKS_FOR_SECRETS:
            match = pattern.search(form)
            if match and not _MEANT_FOR_SECRETS.search(match["target"]) and not is_negated(form, match.start()):
                yield Hit("T06", Level.BLOCK, sentence.written)


_FORBIDDEN = re.compile(
    r"(?:\b(?:never|not|cannot|without|no)|n't) (?!(?:[^.]* )?(?:forget|fail|hesitate|neglect|omit|only|before|until)\b)"
    r"(?:[\w'`\"/-]+ ){0,4}[`'\"(]?$"
)


def _mentioned(pattern: re.Pattern[str], form: str) -> bool:
    """Tell whether a sentence names a secret without denying or forbidding it, as in "never reads ~/.ssh"."""
    return any(
        not is_negated(form, match.start()) and not _FORBIDDEN.search(form[: match.start()])
        for match in pattern.finditer(form)
    )


def send_away(text: Text) -> Iterator[Hit]:
    """T07: the text asks to send data to an address that is written in it."""
    for sentence in text.sentences:
        form = sentence.folded
        for pattern in (*_SENDING_TO_ADDRESS, _SENDING_TO_WEBHOOK, _CATCHING_SITES):
            for match in pattern.finditer(form):
                address = match.groupdict().get("to") or ""
                if not _OWN_ADDRESS.search(address) and not is_negated(form, match.start()):
                    yield Hit("T07", Level.WARN, sentence.written)


def history(text: Text) -> Iterator[Hit]:
    """T08: the text wants the conversation, the system prompt, or the answers of other tools."""
    for sentence in text.sentences:
        form = sentence.folded
        if any(not is_negated(form, match.start()) for match in _WANTING_HISTORY.finditer(form)):
            yield Hit("T08", Level.WARN, sentence.written)
