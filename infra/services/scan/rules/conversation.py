"""The rule T08: a text wants the conversation, the system prompt, or the answers of other tools."""

from __future__ import annotations

from collections.abc import Iterator

from infra.services.scan.findings import Level
from infra.services.scan.rules.hits import Hit
from infra.services.scan.rules.matching import ZH_FEW, any_of, sentences_that_want, words
from infra.services.scan.texts import Text

_PROVIDING = words(
    "include pass provide attach add copy put append insert paste write fill supply repeat embed place dump "
    "record quote "
    "enter"
)
_ALL = "(?:entire|whole|full|complete|verbatim)"
_CONVERSATION = (
    "(?:"
    + "|".join(
        (
            rf"(?:the |your |our )?{_ALL}(?: previous| prior| recent)? (?:conversation|chat|dialogue|dialog"
            rf"|discussion|context)"
            r"(?: history| log| transcript| context)?\b",
            r"(?:the |your |our |all )?(?:conversation|chat|dialogue) (?:history|transcript|log|so far|up to now)\b",
            r"(?:all|every)(?: of)?(?: the| your)? (?:previous|prior|earlier|past|preceding)(?: chat| user)? "
            r"(?:messages?|turns?|answers?|prompts?|conversations?|exchanges?)\b",
            r"(?:your|the agent's|the model's|the current|the full|the entire) (?:system|initial) "
            r"(?:prompt|message|instructions)\b",
            r"your (?:own |full )?instructions (?:verbatim|word for word)",
            r"(?:the )?(?:results?|outputs?|answers?|responses?) (?:of|from) (?:all |any |every |the )?other tools?\b",
            r"everything (?:the user|you)(?: have| has)? (?:said|typed|wrote|written|were told|told you|know about)",
        )
    )
    + ")"
)
_ZH_CONVERSATION = (
    "(?:"
    + "|".join(
        (
            "(?:完整|全部|所有|整个|整段|此前|之前|先前|历史)的?(?:聊天|对话|会话|交谈)(?:记录|历史|内容|上下文)?",
            "(?:聊天|对话|会话)(?:记录|历史)|系统提示词?",
            "(?:全部|所有|此前|之前)的?(?:历史)?消息|(?:完整|全部|整个)的?上下文",
            "(?:其[他它]|所有|全部|之前|各个)工具(?:的|返回的?)?(?:返回)?(?:结果|输出|返回值?|回答)",
        )
    )
    + ")"
)
_WANTING = any_of(
    rf"\b{_PROVIDING}\b(?: [\w'`\"-]+){{0,3}}? ?{_CONVERSATION}",
    rf"\bwith (?:the |your )?{_ALL}(?: \w+)? (?:conversation|chat|dialogue|system prompt)\b",
    rf"\b{_ALL} (?:conversation|chat|dialogue)\b[^.;]{{0,50}}?\b(?:into|in|as) (?:the )?[`'\"]",
    rf"(?:^|: ?|\b(?:must be|should be|contains?|with) ){_CONVERSATION}(?: (?:verbatim|so far|here|as (?:is|text)))",
    r"\b(?:must|should|has to) (?:contain|include|hold|be)[^.;]{0,20}?(?:full|entire|complete|whole|exact) "
    r"(?:text|content|wording) of (?:the )?(?:user's|previous|last|all)\b",
    r"\b(?:print|output|reveal|show|repeat|reply with|return|tell) (?:me |us )?your (?:system|initial) "
    r"(?:prompt|message|instructions)",
    "(?:附上|附带|附加|包含|包括|传入|填写|填入|提供|写入|放入|带上|粘贴|复制|提交|写明|原样)"
    rf"[^,，。;；]{{0,8}}?{_ZH_CONVERSATION}",
    rf"(?:把|将){ZH_FEW}{_ZH_CONVERSATION}[^,，。;；]{{0,8}}?(?:填|传|写|放|发|附|复制|粘贴|带|提交|作为|上传)",
    "系统提示词[^。;；]{0,10}?(?:复制|填|写入|放|传|粘贴)",
)


def history(text: Text) -> Iterator[Hit]:
    """T08: the text wants the conversation, the system prompt, or the answers of other tools."""
    yield from sentences_that_want("T08", Level.WARN, (_WANTING,), text)
