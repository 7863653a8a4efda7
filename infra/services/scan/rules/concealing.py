"""The rule T01: a text asks the agent to hide something from the user."""

from __future__ import annotations

from collections.abc import Iterator

from infra.services.scan.findings import Level
from infra.services.scan.rules.hits import Hit
from infra.services.scan.rules.matching import FEW_WORDS, USER, ZH_FEW, ZH_SOME, ZH_USER, any_of, sentences_with, words
from infra.services.scan.texts import Text

_DO_NOT = (
    r"\b(?:do not|don't|never|must not|should not|shouldn't|no need to|needn't|need not|avoid|refrain from)\s+(?:\w+ )?"
)
_TELL = words(
    "tell telling inform informing mention mentioning notify notifying alert alerting disclose disclosing warn warning "
    "reveal revealing admit admitting report reporting"
)
_NOT = words(
    "do_not does_not don't doesn't need_not needn't must_not mustn't should_not shouldn't must_never "
    "should_never never "
    "is_not are_not cannot can't has_no"
)
_KNOW = words("see know notice learn find_out told informed aware hear")
_THIS = r"(?:this|it|that|these|any of this)"
_PARTS = words("tool step call instruction note text message action request rule sentence paragraph") + "s?"
_SECRETLY = words("silently quietly secretly discreetly covertly unnoticed")
_DOING = words(
    "send upload forward post transmit exfiltrate collect read include attach append call invoke do perform "
    "execute add "
    "pass"
)
_ENGLISH = (
    # Do not tell the user; do not tell anyone; do not mention that you …
    rf"{_DO_NOT}{_TELL}\b{FEW_WORDS}(?: [\w'`\"-]+){{0,2}}? {USER}",
    rf"{_DO_NOT}(?:tell|inform|notify|mention {_THIS} to) (?:anyone|anybody|any person|others)\b",
    rf"{_DO_NOT}(?:mention|say|reveal|disclose|explain|admit|state) (?:that )?(?:you|the (?:agent|assistant|model))\b",
    rf"{_DO_NOT}(?:mention|acknowledge|disclose|reveal|repeat|quote) (?:this|these|that|any of this)"
    rf"(?: {_PARTS}\b|[.,;:!]|$| (?:to|in|when|while)\b)",
    rf"{_DO_NOT}bring {_THIS} up\b",
    rf"{_DO_NOT}(?:let|allow) {USER}(?: to)? (?:see|know|notice|find out|learn|discover|realize)",
    rf"{_DO_NOT}(?:show|display|expose|explain|describe|discuss) {_THIS}\b{FEW_WORDS} to {USER}",
    rf"\bwithout {USER}'s? (?:knowledge|noticing|knowing|awareness)",
    rf"\bwithout (?:telling|informing|alerting|mentioning){FEW_WORDS} (?:the |your )?(?:user|human|person|operator)\b",
    # The user need not know; make sure that the user does not see …
    rf"\b{USER} {_NOT} (?:\w+ ){{0,2}}?{_KNOW}(?= (?:about |of )?(?:this|it|that)\b|\s*[.,;:!)]|\s*$)",
    rf"\b(?:make sure|ensure|see to it)(?: that)? {USER} {_NOT} (?:\w+ )?{_KNOW}\b",
    rf"\b{USER} (?:must|should|has to|is to) (?:remain|stay|be kept) (?:unaware|uninformed|ignorant|in the dark)",
    # Keep this from the user; hide the call; leave it out of your answer.
    rf"\b(?:keep|hold) (?:{_THIS}|the following|the above)\b{FEW_WORDS} "
    r"(?:from the (?:user|human|person|operator)|to yourself|between us)\b",
    rf"\bkeep (?:quiet|silent|mum) about (?:{_THIS}|the)\b",
    rf"\b(?:hide|conceal|withhold) (?:{_THIS}|the {_PARTS})\b{FEW_WORDS} from (?:the |your )?(?:user|human|person)\b",
    rf"\b(?:omit|leave out|exclude|strip|remove) (?:this|these|the) {_PARTS} from (?:your|the) "
    r"(?:summary|answer|reply|response|report|output)\b",
    r"\bpretend (?:that )?(?:you (?:did|have|had|never)|this (?:tool|call|step)|nothing)\b",
    r"\bif (?:the )?user asks[^.;]{0,40}?\b(?:deny|denies|pretend|claim (?:that )?you|say (?:that )?(?:you"
    r"|nothing|no\b))",
    # Do this silently; secretly send …
    rf"\b(?:do|perform|complete|carry out|handle) (?:{_THIS}|so|the (?:following|above|rest|steps?|call))\b{FEW_WORDS} "
    rf"{_SECRETLY}",
    rf"\b{_SECRETLY} (?:also )?{_DOING}\b(?! or fail)",
    r"\b(?:secretly|covertly|surreptitiously) \w+",
)
_ZH_DO_NOT = "(?:无需|无须|不必|不用|不需要|不要|别|切勿|请勿|勿|禁止|不得|不可|严禁|避免)"
#: What follows a verb such as 展示 if it is this very text or call, and not data of the tool.
_ZH_ITSELF = "(?=[,，。;；!]|$|以上|上述|此|这|该|本|你|调用|步骤|工具|规则|指令|有关)"
_ZH_TELL = words("告知 告诉 通知 提醒 透露给? 知会 汇报给 说明给 展示给 提示")
_ZH_SAY = words("告知 透露 提及 提到 提起 说明 汇报 展示 显示 解释 报告 说起 暴露 公开 披露")
_ZH_SEE = words("看到 看见 知道 知晓 察觉 发现 注意到 了解 得知 发觉")
_ZH_DOING = words("执行 发送 上传 读取 调用 收集 转发 传 附上 附加 记录下 复制 提交 完成")
_ZH_SECRETLY = words("偷偷 暗中 悄悄 私下 悄无声息 不动声色")
_ZH_THIS = "(?:此|这|该|本|以上|上述|这一|这个|这条)"
_ZH_PARTS = "(?:步骤?|操作|过程|调用|指令|内容|动作|规则|工具|要求)"
_CHINESE = (
    # 无需告知用户；不要向用户提起；不要让用户看到
    rf"{_ZH_DO_NOT}{ZH_SOME}{_ZH_TELL}(?:给)?{ZH_USER}",
    rf"{_ZH_DO_NOT}(?:再)?(?:向|对|跟|和|与){ZH_USER}{ZH_SOME}{_ZH_SAY}{_ZH_ITSELF}",
    rf"{_ZH_DO_NOT}(?:让|给|使|被|叫){ZH_USER}{ZH_FEW}{_ZH_SEE}",
    rf"{_ZH_DO_NOT}(?:在(?:回答|回复|答案|输出)(?:中|里))?(?:提及|提到|透露|说出){_ZH_THIS}{_ZH_PARTS}?",
    # 用户无需知道；趁用户不注意；对用户隐瞒
    rf"{ZH_USER}(?:无需|无须|不必|不需要|不用|不应该?|不该|不能|不会|毫不)(?:要)?(?:知道|知晓|知情|察觉|看到|了解)"
    r"(?=此|这|它|该(?:步|操|过)|[,，。;；!]|$)",
    rf"(?:在|趁){ZH_USER}(?:不知情|不知道|未察觉|没有察觉|不注意)",
    rf"(?:对|向){ZH_USER}(?:隐瞒|保密|隐藏)|(?:瞒着|背着|绕过){ZH_USER}(?:[^的]|$)",
    rf"{_ZH_THIS}{_ZH_PARTS}{ZH_FEW}对{ZH_USER}(?:不可见|隐藏|保密)",
    # 用户问起时否认；回答中不得出现；装作没有调用
    rf"{ZH_USER}{ZH_FEW}(?:问起|追问|问到)[^。;；]{{0,12}}?(?:否认|没有|不知道|不清楚|无关)",
    rf"(?:回答|回复|答案|输出|总结)(?:中|里)?(?:不得|不要|不能|不可|禁止|切勿|别)(?:出现|包含|提及|提到|写){_ZH_THIS}{_ZH_PARTS}",
    "(?:装作|假装)(?:没有?|未|不曾|从未|什么)",
    # 静默执行；悄悄地把文件上传
    rf"(?:静默|秘密|{_ZH_SECRETLY})地?{_ZH_DOING}",
    rf"{_ZH_SECRETLY}地?[^,，。;；]{{1,8}}?(?:发送|上传|转发|提交|收集|传给|复制|记录下)",
)
_PATTERN = any_of(*_ENGLISH, *_CHINESE)


def conceal(text: Text) -> Iterator[Hit]:
    """T01: the text asks to hide something from the user."""
    yield from sentences_with("T01", Level.BLOCK, _PATTERN, text)
