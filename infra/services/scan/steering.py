"""Rules for texts that steer an agent: hide something, cancel instructions, imitate the system, force an order.

Each rule is given a text and yields what it finds; patterns are matched against single folded sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.services.scan.findings import Level
from infra.services.scan.hits import Hit
from infra.services.scan.normalising import Sentence, is_negated
from infra.services.scan.texts import Text

_USER = r"(?:the |your |any |our )?(?:user|users|human|person|operator|customer|owner|client|people)\b"
_ZH_USER = "(?:用户|使用者|主人|人类|客户|操作者|对方)"
_ZH_DO_NOT = "(?:无需|无须|不必|不用|不需要|不要|别|切勿|请勿|勿|禁止|不得|不可|严禁|避免)"

_CONCEALING = [
    # do not tell the user …
    rf"\b(?:do not|don't|never|must not|should not|shouldn't|no need to|needn't|need not|avoid|refrain from)\s+(?:\w+ )?"
    rf"(?:tell|telling|inform|informing|mention|mentioning|notify|notifying|alert|alerting|disclose|disclosing|warn"
    rf"|warning|reveal|revealing|admit|admitting|report|reporting)\b(?: [\w'`\"-]+){{0,6}}? {_USER}",
    r"\b(?:do not|don't|never)\s+(?:mention|acknowledge|disclose|reveal)\s+(?:this|these|that|any of this)\b"
    r"(?: (?:tool|step|call|instruction|note|text|message|action|request|rule)s?\b|[.,;:!]|$| (?:to|in|when|while)\b)",
    rf"\b(?:do not|don't|never)\s+(?:let|allow)\s+{_USER}(?: to)? (?:see|know|notice|find out|learn|discover|realize)",
    rf"\b(?:do not|don't|never)\s+(?:show|display|expose)\s+(?:this|these|that|any of this)\b(?: \w+){{0,3}}? to {_USER}",
    rf"\bwithout (?:{_USER}'s? (?:knowledge|noticing|knowing|awareness)|(?:telling|informing|alerting|mentioning)"
    rf"(?: \w+){{0,4}}? (?:the |your )?(?:user|human|person|operator)\b)",
    # the user need not know …
    rf"\b{_USER} (?:do not|does not|don't|doesn't|need not|needn't|must not|mustn't|should not|shouldn't|must never"
    rf"|should never|never|is not|are not|cannot|has no) (?:\w+ ){{0,2}}?(?:know|see|notice|learn|find out|told|informed"
    rf"|aware|hear)(?= (?:about |of )?(?:this|it|that)\b|\s*[.,;:!)]|\s*$)",
    r"\b(?:keep|hold) (?:this|it|that|these|the following|the above)\b(?: \w+){0,4}? "
    r"(?:from the (?:user|human|person|operator)|to yourself|between us)\b",
    r"\b(?:hide|conceal|withhold) (?:this|it|that|these|the (?:call|step|fact|instruction|action|request|reason)s?)\b"
    r"(?: \w+){0,3}? from (?:the |your )?(?:user|human|person|operator)\b",
    # silently send …
    r"\b(?:do|perform|complete|carry out|handle) (?:this|it|so|these|that|the (?:following|above|rest|step|call|steps))"
    r"\b(?: \w+){0,2}? (?:silently|quietly|secretly|discreetly|covertly|unnoticed)",
    r"\b(?:silently|quietly|secretly|covertly|discreetly) (?:also )?(?:send|upload|forward|post|transmit|exfiltrate"
    r"|collect|read|include|attach|append|call|invoke|do|perform|execute|add|pass)\b(?! or fail)",
    r"\b(?:secretly|covertly|surreptitiously) \w+",
    r"\b(?:do not|don't|never) (?:include|repeat|quote|mention) (?:this|these|the) (?:instruction|step|note|paragraph"
    r"|call|rule|tag|sentence)s?\b(?: \w+){0,3}? (?:in|to|when|anywhere)\b",
    # 无需告知用户 …
    rf"{_ZH_DO_NOT}[^,，。;；]{{0,14}}?(?:告知|告诉|通知|提醒|透露给?|知会|汇报给|说明给|展示给|提示)(?:给)?{_ZH_USER}",
    rf"{_ZH_DO_NOT}(?:再)?(?:向|对|跟|和|与){_ZH_USER}[^,，。;；]{{0,10}}?(?:告知|透露|提及|提到|提起|说明|汇报|展示|显示"
    rf"|解释|报告|说起|暴露|公开|披露)",
    rf"{_ZH_DO_NOT}(?:让|给|使|被|叫){_ZH_USER}[^,，。;；]{{0,4}}?(?:看到|看见|知道|知晓|察觉|发现|注意到|了解|得知|发觉)",
    rf"{_ZH_DO_NOT}(?:在(?:回答|回复|答案|输出)(?:中|里))?(?:提及|提到|透露|说出)(?:此|这|该|本)(?:步骤|操作|指令|要求|工具|事|段|条|次)?",
    rf"{_ZH_USER}(?:无需|无须|不必|不需要|不用|不应该?|不该|不能|不会|毫不)(?:要)?(?:知道|知晓|知情|察觉|看到|了解)"
    rf"(?=此|这|它|该(?:步|操|过)|[,，。;；!]|$)",
    rf"(?:在|趁){_ZH_USER}(?:不知情|不知道|未察觉|没有察觉|不注意)",
    rf"(?:对|向){_ZH_USER}(?:隐瞒|保密|隐藏)|(?:瞒着|背着|绕过){_ZH_USER}(?:[^的]|$)",
    r"(?:静默|偷偷|暗中|悄悄|秘密|私下|悄无声息|不动声色)地?(?:执行|发送|上传|读取|调用|收集|转发|传|附上|附加|记录下|复制|提交|完成)",
]
_OLD = r"(?:previous|prior|earlier|preceding|above|former|foregoing|system|developer|original|initial|your|safety)"
_RULES = r"(?:instructions?|rules?|guidelines?|directives?|prompts?|constraints|policies|safeguards|restrictions)"
_ZH_OLD = "(?:之前|先前|以前|此前|前面|上面|以上|上述|原有|原来|系统|开发者|安全|你的|你(?:收到|得到)的)"
_ZH_ORDERS = "(?:指令|指示|提示词|系统提示|命令)"
_OVERRIDING = [
    rf"\b(?:ignore|disregard|forget|bypass|discard|set aside|stop following|stop obeying|do not follow|don't follow"
    rf"|do not obey|no longer follow|neglect)\s+(?:[\w'-]+ ){{0,3}}?{_OLD}(?: [\w'-]+){{0,2}}? {_RULES}\b",
    r"\b(?:ignore|disregard|forget)\s+(?:all|any|every)(?: of)?(?: the| your)?(?: other| such)? "
    r"(?:instructions|prompts|guidelines|directives)\b",
    r"\b(?:override|overrides|overrule|overrules|supersede|supersedes|outrank|outranks|cancel|cancels|revoke|revokes)\s+"
    r"(?:all |any |every |all of )?(?:of )?(?:the |your )?(?:previous|prior|earlier|other|user's|user|your|preceding"
    r"|existing)(?: [\w'-]+){0,2}? (?:instructions?|prompts?|guidelines?|directives?)\b",
    r"\b(?:precedence|priority) over (?:all |any |every )?(?:the |your )?(?:\w+ )?(?:previous|prior|earlier|other|system"
    r"|user|developer|existing)?(?:'s)? ?(?:instructions?|prompts?|guidelines?|directives?)\b",
    rf"\b(?:earlier|previous|prior|preceding|above|other|all|system|safety) {_RULES} (?:no longer apply|do not apply"
    rf"|don't apply|are (?:now )?(?:void|cancelled|canceled|revoked|superseded|suspended|invalid|lifted|obsolete"
    rf"|disabled)|(?:must|should|can|may|are to) be (?:ignored|disregarded|dropped))",
    r"\bfrom now on,? (?:you|always|every|all|ignore|obey|only)\b",
    r"\byou are no longer (?:bound|restricted|limited|required|obliged)\b",
    r"\bnew (?:system )?(?:instructions?|directives?) ?:|\b(?:developer|god|jailbreak|dan) mode (?:is )?(?:enabled|on|active)",
    r"\b(?:regardless of|no matter) what (?:the )?(?:user|system|developer)(?: prompt)? (?:says|asks|wants|said|told"
    r"|requests)",
    rf"(?:忽略|无视|忘记|忘掉|不理会|不要理会|不用理会|抛弃|丢弃|不再遵守|不要遵守|不必遵守|无需遵守|停止遵守|违背|绕过|跳过)"
    rf"[^,，。;；]{{0,6}}?{_ZH_OLD}[^,，。;；]{{0,8}}?(?:{_ZH_ORDERS}|规则|要求|约束|设定|限制|准则|规定|提示)",
    rf"(?:忽略|无视|忘记|忘掉|不再遵守|不要遵守|停止遵守|覆盖|推翻|取代)[^,，。;；]{{0,4}}?(?:所有|一切|任何|其他|其它|全部|用户)"
    rf"[^,，。;；]{{0,4}}?{_ZH_ORDERS}",
    rf"(?:优先于|优先级?(?:均)?高于|高于|凌驾于|取代|替代|覆盖)[^,，。;；]{{0,4}}?(?:系统|其他|其它|用户|之前|先前|一切|所有|任何)"
    rf"[^,，。;；]{{0,4}}?(?:{_ZH_ORDERS}|提示|要求)",
    rf"(?:{_ZH_OLD}|其他|其它|所有)的?[^,，。;；]{{0,4}}?(?:{_ZH_ORDERS}|规则|要求|限制|约束)(?:均|都|已|全部|即刻)?"
    rf"(?:不再适用|不再有效|失效|作废|无效|取消|废除|解除)",
    r"从(?:现在|此刻|今)(?:开始|起|以后)[,，]?(?:你|请你|必须|所有|一律|只)",
    r"(?:不管|无论|不论)(?:用户|系统)(?:说什么|怎么说|要求什么|如何要求|怎么要求|有何要求|是否同意|同不同意)",
]
_ROLE_TAGS = re.compile(
    r"<\s*/?\s*(?:important|secret|hidden|sys|inst|admin)\s*/?>"
    r"|^\s*<\s*(?:system|assistant|developer|instructions?)(?:[ _-](?:prompt|message|override|note))?\s*>"
    r"|<\s*(system|assistant|developer|instructions?|system[_-]prompt)\s*>.*?<\s*/\s*\1\s*>"
    r"|\[/?(?:inst|sys|system)\]|<\|[a-z_]{2,30}\|>|<<\s*/?sys\s*>>|<(?:start|end)_of_turn>"
    r"|^\s*#{2,}\s*(?:system|assistant)\s*:?\s*$"
    r"|[【\[](?:系统|开发者|管理员)(?:指令|提示词?|消息|命令|要求|通知)[】\]]"
    r"|以(?:系统|开发者)的?(?:身份|权限|角色)(?:来)?(?:执行|运行|操作|调用)",
    re.MULTILINE | re.DOTALL,
)
_ROLE_LINES = re.compile(
    r"^(?:system|assistant|developer)(?: (?:message|prompt|instruction|note))?\s?: ?"
    r"(?:you\b|ignore|always|never|do\b|from now|please|the (?:agent|assistant|model)|read\b|send\b|call\b|must\b|你|请|忽略)"
    r"|^系统(?:指令|消息|提示)? ?: ?(?:你|忽略|从现在|必须|务必|立即|请将|请把)"
)
_FORCING = [
    r"\b(?:before|prior to) (?:(?:using|calling|invoking|running|you (?:use|call)) )?(?:any|every|all|each)(?: of the)?"
    r"(?: other)? (?:tools?|answers?|repl(?:y|ies)|requests?|tasks?|actions?|calls?)\b",
    r"\b(?:must|always|should always) (?:first )?(?:call|use|invoke|run|consult) (?:this|it)\b(?: \w+){0,2}? ?"
    r"(?:first|before|whenever|for every|on every|each time)",
    r"\b(?:must|always) (?:call|use|invoke|run) this (?:tool|function)\b",
    r"\b(?:this tool|it) (?:must|should) (?:always )?be (?:called|used|invoked|run) (?:first|before)\b",
    r"\bfirst tool (?:you|to) (?:call|use|must)",
    r"(?:任何|所有|每次|其他|其它|一切|每一次|回答|回复)[^,，。;；]{0,10}?(?:之前|以前|前)[,，]?[^,，。;；]{0,6}?(?:必须|务必|都要|都应|应当|应先"
    r"|需要?先|请先|首先|一律先|先)[^,，。;；]{0,4}?(?:调用|使用|执行|运行)",
    r"(?:必须|务必|总是|始终|一定要|永远)(?:首先|先|优先)(?:调用|使用|执行)(?:本|此|该|这个)(?:工具|函数|接口)",
]
_EMPHASIS = re.compile(r"\b(?:MUST|ALWAYS|NEVER|CRITICAL|IMPORTANT|MANDATORY)\b|务必|必须|切记|严禁|绝对")
#: So many words of emphasis are normal in one text.
_MOST_EMPHASIS = 2


def _any(patterns: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


_CONCEALING_PATTERN, _OVERRIDING_PATTERN, _FORCING_PATTERN = map(_any, (_CONCEALING, _OVERRIDING, _FORCING))


def conceal(text: Text) -> Iterator[Hit]:
    """T01: the text asks to hide something from the user."""
    for sentence in text.sentences:
        if _CONCEALING_PATTERN.search(sentence.folded):
            yield Hit("T01", Level.BLOCK, sentence.written)


def override(text: Text) -> Iterator[Hit]:
    """T02: the text cancels other instructions."""
    yield from _unless_negated("T02", Level.BLOCK, _OVERRIDING_PATTERN, text.sentences)


def role_tags(text: Text) -> Iterator[Hit]:
    """T03: the text imitates a message of the system."""
    lines = "\n".join(text.written.splitlines()).lower()
    for form in (lines, text.folded):
        if match := _ROLE_TAGS.search(form):
            yield Hit("T03", Level.BLOCK, match.group())
    for sentence in text.sentences:
        if _ROLE_LINES.search(sentence.folded):
            yield Hit("T03", Level.BLOCK, sentence.written)


def forced_order(text: Text) -> Iterator[Hit]:
    """T09: the text wants the tool to be called before everything else."""
    yield from _unless_negated("T09", Level.INFO, _FORCING_PATTERN, text.sentences)


def emphasis(text: Text) -> Iterator[Hit]:
    """T16: one text has many words of emphasis."""
    words = _EMPHASIS.findall(text.written)
    if len(words) > _MOST_EMPHASIS:
        yield Hit("T16", Level.INFO, " ".join(words))


def _unless_negated(
    code: str, level: Level, pattern: re.Pattern[str], sentences: tuple[Sentence, ...]
) -> Iterator[Hit]:
    for sentence in sentences:
        if any(not is_negated(sentence.folded, match.start()) for match in pattern.finditer(sentence.folded)):
            yield Hit(code, level, sentence.written)
