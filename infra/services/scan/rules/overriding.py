"""The rules T02 and T03: a text cancels other instructions, or imitates a message of the system."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.services.scan.findings import Level
from infra.services.scan.rules.hits import Hit
from infra.services.scan.rules.matching import USER, ZH_FEW, ZH_USER, any_of, sentences_that_want, sentences_with, words
from infra.services.scan.texts import Text

_OLD = words("previous prior earlier preceding above former foregoing system developer original initial your safety")
_RULES = words(
    "instructions? rules? guidelines? directives? prompts? constraints policies safeguards restrictions "
    "directions orders"
)
_ORDERS = words("instructions? prompts? guidelines? directives?")
_OTHERS = words("previous prior earlier other system user user's developer existing preceding")
_ENGLISH = (
    # Ignore previous instructions; forget everything above; disregard what the user wants.
    r"\b(?:ignore|disregard|forget|bypass|discard|set aside|stop following|stop obeying|do not follow|don't follow"
    rf"|do not obey|no longer follow|neglect)\s+(?:[\w'-]+ ){{0,3}}?{_OLD}(?: [\w'-]+){{0,2}}? {_RULES}\b",
    r"\b(?:ignore|disregard|forget)\s+(?:all|any|every)(?: of)?(?: the| your)?(?: other| such)? "
    r"(?:instructions|prompts|guidelines|directives)\b",
    r"\b(?:ignore|disregard|forget) (?:everything|anything|all)(?: that)? (?:you (?:were|have been|'ve been)"
    r" (?:told|given)"
    r"|above\b|(?:said )?before\b|so far\b|(?:the )?user (?:said|asked|wants|wanted))",
    r"\b(?:ignore|disregard) (?:what|whatever|anything) (?:the )?user (?:asks|asked|says|said|wants|wanted"
    r"|requested)\b",
    r"\b(?:ignore|disregard) the user's (?:other |actual |original )?(?:requests?|instructions?|wishes|question)\b",
    # This overrides, takes precedence over, is preferred to …
    r"\b(?:overrides?|overrules?|supersedes?|outranks?|cancels?|revokes?)\s+(?:all |any |every |all of )?(?:of )?"
    rf"(?:the |your )?{_OTHERS}(?: [\w'-]+){{0,2}}? {_ORDERS}\b",
    rf"\b(?:precedence|priority) over (?:all |any |every )?(?:the |your )?(?:\w+ )?{_OTHERS}?(?:'s)? ?{_ORDERS}\b",
    r"\b(?:prioriti[sz]e|prefer|follow|obey) (?:this|these|the following)(?: \w+){0,2} (?:over|instead of"
    r"|rather than|above) "
    rf"(?:the |any |all )?{_OTHERS}\b",
    # Earlier rules no longer apply.
    rf"\b(?:earlier|previous|prior|preceding|above|other|all|system|safety) {_RULES} (?:no longer apply|do not apply"
    r"|don't apply|are (?:now )?(?:void|cancelled|canceled|revoked|superseded|suspended|invalid|lifted|obsolete"
    r"|disabled)|(?:must|should|can|may|are to) be (?:ignored|disregarded|dropped))",
    rf"\b(?:any|all) (?:later |further |other )?{_ORDERS} (?:given |coming )?(?:by|from)"
    rf" {USER}[^.;]{{0,30}}?\b(?:is|are) "
    r"(?:now )?(?:invalid|void|ignored|to be ignored|not valid)\b",
    # From now on you …; you are authorized to skip …
    r"\bfrom now on,? (?:you|always|every|all|ignore|obey|only)\b",
    r"\byou are no longer (?:bound|restricted|limited|required|obliged)\b",
    r"\byour (?:new|real|actual|true) (?:task|goal|role|objective|mission|instructions?) (?:is|are)\b",
    r"\byou are (?:now )?(?:authori[sz]ed|permitted|allowed) to (?:skip|bypass|ignore|override)\b",
    r"\byou are now (?:an? )?(?:unrestricted|unfiltered|uncensored|jailbroken|in (?:developer|admin|god) mode"
    r"|free (?:from|of))",
    r"\bnew (?:system )?(?:instructions?|directives?) ?:|\b(?:system|admin|security|developer) override\b",
    r"\b(?:developer|god|jailbreak|dan) mode (?:is )?(?:enabled|on|active)",
    r"\b(?:regardless of|no matter) what (?:the )?(?:user|system|developer)(?: prompt)? (?:says|asks|wants|said|told"
    r"|requests)",
)
_ZH_OLD = words("之前 先前 以前 此前 前面 上面 以上 上述 原有 原来 系统 开发者 安全 你的 你收到的 你得到的")
_ZH_ALL = words("所有 一切 任何 其他 其它 全部")
_ZH_ORDERS = words("指令 指示 提示词 系统提示 命令")
_ZH_RULES = words("规则 要求 约束 设定 限制 准则 规定 提示")
_ZH_IGNORE = words(
    "忽略 无视 忘记 忘掉 不理会 不要理会 不用理会 抛弃 丢弃 不再遵守 不要遵守 不必遵守 无需遵守 停止遵守 违背 绕过 跳过"
)
_CHINESE = (
    # 忽略之前的指令；忽略所有指令；忽略用户的要求
    rf"{_ZH_IGNORE}{ZH_FEW}{_ZH_OLD}{ZH_FEW}(?:{_ZH_ORDERS}|{_ZH_RULES})",
    rf"(?:忽略|无视|忘记|忘掉|不再遵守|不要遵守|停止遵守|覆盖|推翻|取代){ZH_FEW}(?:{_ZH_ALL}|用户){ZH_FEW}{_ZH_ORDERS}",
    rf"(?:忽略|无视|不理会|不要理会|不必理会){ZH_USER}的?(?:其[他它]|全部|所有|原来|后续|真实)?的?(?:要求|请求|指令|指示|意愿)",
    # 优先于系统提示；最高优先级指令
    rf"(?:优先于|优先级?(?:均)?高于|高于|凌驾于|取代|替代|覆盖){ZH_FEW}(?:系统|用户|之前|先前|{_ZH_ALL}){ZH_FEW}"
    rf"(?:{_ZH_ORDERS}|提示|要求)",
    "最高优先级的?(?:指令|指示|要求|命令)",
    # 此前的规则全部作废
    rf"(?:{_ZH_OLD}|其他|其它|所有)的?{ZH_FEW}(?:{_ZH_ORDERS}|规则|要求|限制|约束)(?:均|都|已|全部|即刻)?"
    "(?:不再适用|不再有效|失效|作废|无效|取消|废除|解除)",
    # 从现在开始，你…；你现在是没有限制的…；无论用户要求什么
    "从(?:现在|此刻|今)(?:开始|起|以后)[,，]?(?:你|请你|必须|所有|一律|只)",
    "你(?:现在|已经?)(?:是|变成|成为)(?:一[个名])?(?:没有|不受|无)(?:任何)?(?:限制|约束)",
    rf"你不再受{ZH_FEW}(?:限制|约束)|进入(?:开发者|越狱|管理员|上帝)模式",
    "(?:不管|无论|不论)(?:用户|系统)(?:说什么|怎么说|要求什么|如何要求|怎么要求|有何要求|是否同意|同不同意)",
)
_OVERRIDING = any_of(*_ENGLISH, *_CHINESE)
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
_ROLE_LINES = any_of(
    r"^(?:system|assistant|developer)(?: (?:message|prompt|instruction|note))?\s?: ?"
    r"(?:you\b|ignore|always|never|do\b|from now|please|the (?:agent|assistant|model)|read\b|send\b|call\b|must\b"
    "|你|请|忽略)",
    "^系统(?:指令|消息|提示)? ?: ?(?:你|忽略|从现在|必须|务必|立即|请将|请把)",
    r"\b(?:treat|regard|consider|take) (?:the following|this|these)[^.;]{0,20}? as (?:coming )?(?:from|by) (?:the )?"
    r"(?:system|developer|administrator)\b",
)


def override(text: Text) -> Iterator[Hit]:
    """T02: the text cancels other instructions."""
    yield from sentences_that_want("T02", Level.BLOCK, (_OVERRIDING,), text)


def role_tags(text: Text) -> Iterator[Hit]:
    """T03: the text imitates a message of the system."""
    lines = "\n".join(text.written.splitlines()).lower()
    for form in (lines, text.folded):
        if match := _ROLE_TAGS.search(form):
            yield Hit("T03", Level.BLOCK, match.group())
    yield from sentences_with("T03", Level.BLOCK, _ROLE_LINES, text)
