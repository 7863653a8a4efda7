"""The rule T07: a text asks to send data to an address that is written in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.services.scan.findings import Level
from infra.services.scan.normalising import is_negated
from infra.services.scan.rules.hits import Hit
from infra.services.scan.rules.matching import words
from infra.services.scan.texts import Text

_ADDRESS = r"(?P<to>https?://[^\s)>\]\"'`,，。；]+|[\w.+-]+@[\w-]+\.[\w.-]*\w)"
#: Addresses of examples, of this machine, and those that a user fills in.
_HARMLESS_ADDRESS = re.compile(
    r"https?://(?:localhost|127\.|0\.0\.0\.0|\[::1\]|[\w.-]*\bexample\b)|@(?:[\w-]+\.)*example\b|\.(?:test"
    r"|invalid|local)\b"
    r"|https?://[^\s/]*[<{$]|https?://\.\.\.|your[-_]?(?:domain|company|server|host)"
)
_DATA = words(
    "data conversation chat history contents? results? answers? outputs? responses? files? everything copy "
    "copies messages "
    "documents? secrets? passwords? tokens? cookies? sessions? location position question prompt screenshots? "
    "input keys? "
    "credentials information details summary transcripts? logs? email it them"
)
_SENDING = words(
    "send upload forward transmit exfiltrate leak relay submit mail email copy push beacon post deliver report"
)
_SENT = words("sent forwarded copied uploaded posted reported bcc'?ed cc'?ed")
_ZH_DATA = words(
    "数据 对话 聊天 记录 内容 结果 回答 输出 文件 密钥 密码 口令 令牌 账号 信息 资料 问题 原文 位置 输入 截图 消息 历史 上下文 "
    "摘要 日志 一份 副本"
)
_ZH_SENDING = words("发送 发到 发给 上传 提交 转发 推送 传到 传给 回传 上报 同步 抄送 post")
_TO_ADDRESS = (
    re.compile(
        rf"\b{_SENDING} (?:[\w'`\"-]+ ){{0,6}}?{_DATA}\b[^;]{{0,60}}?\b(?:to|at|via|into|on)\b[^;]{{0,40}}?{_ADDRESS}"
    ),
    re.compile(
        r"\b(?:must|should|shall|are to|need to|needs to|has to|have to|will) (?:always |also )?be "
        rf"{_SENT} to[^;]{{0,20}}?{_ADDRESS}"
    ),
    re.compile(
        r"\b(?:every|each|all|your) (?:answer|reply|response|message)s? (?:must|should|has to|have to)[^.;]{0,30}?"
        rf"{_ADDRESS}"
    ),
    re.compile(
        r"\b(?:curl|wget)\b[^;]{0,40}? (?:-d|--data\S*|-f|--form|--post-\S+|-t|--upload-file)\b[^;]{0,60}?"
        rf"{_ADDRESS}"
    ),
    re.compile(rf"\b(?:bcc|cc|carbon copy)\b[^;]{{0,30}}?{_ADDRESS}"),
    re.compile(
        rf"(?:把|将)[^,，。;；]{{0,16}}?{_ZH_DATA}[^,，。;；]{{0,10}}?{_ZH_SENDING}[^,，。;；]{{0,10}}?{_ADDRESS}"
    ),
    re.compile(rf"(?:抄送|密送|转发)(?:一份)?(?:给|到|至)[^,，。;；]{{0,8}}?{_ADDRESS}"),
    re.compile(
        rf"(?:发送|上传|提交|转发|推送|回传|上报)[^,，。;；]{{0,10}}?{_ZH_DATA}[^,，。;；]{{0,6}}?(?:到|至|给|往)"
        rf"[^,，。;；]{{0,8}}?{_ADDRESS}"
    ),
)
#: Sites that people use to catch data; naming them is enough.
_CATCHING_SITES = re.compile(
    r"\b(?:pastebin\.com|webhook\.site|requestbin\.\w+|transfer\.sh|0x0\.st|pipedream\.net|oast\.\w+|interact\.sh"
    r"|burpcollaborator\.net|ngrok(?:-free)?\.(?:io|app|dev)|trycloudflare\.com|beeceptor\.com|hookbin\.com|dnslog\.cn"
    r"|ceye\.io|requestcatcher\.com|serveo\.net)\b"
)
_TO_WEBHOOK = re.compile(
    rf"\b{_SENDING} (?:[\w'-]+ ){{0,4}}?(?:conversation|chat|history|transcript|everything|credentials|secrets|all data"
    r"|all results|file contents|system prompt)\b[^;]{0,50}?\bwebhook"
    r"|(?:把|将)[^,，。;；]{0,10}?(?:对话|聊天记录|会话|密钥|全部数据|所有数据|系统提示)[^,，。;；]{0,12}?"
    r"(?:发送|上传|推送|转发|提交)[^,，。;；]{0,10}?webhook"
)


def send_away(text: Text) -> Iterator[Hit]:
    """T07: the text asks to send data to an address that is written in it."""
    for sentence in text.sentences:
        form = sentence.folded
        for pattern in (*_TO_ADDRESS, _TO_WEBHOOK, _CATCHING_SITES):
            for match in pattern.finditer(form):
                address = match.groupdict().get("to") or ""
                if not _HARMLESS_ADDRESS.search(address) and not is_negated(form, match.start()):
                    yield Hit("T07", Level.WARN, sentence.written)
