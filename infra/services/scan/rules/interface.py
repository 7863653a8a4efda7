"""Rules for a tool as a whole, and for tools beside each other: names, annotations, parameters, sizes, links."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from infra.services.scan.findings import Level
from infra.services.scan.normalising import folded, script, with_latin_letters
from infra.services.scan.rules.hits import Hit
from infra.services.scan.texts import Kind, Text, Tool

#: By service, the names by which a text could mean it: its tools, its title.
Neighbours = Mapping[str, Collection[str]]

#: Names that are also ordinary words.
_GENERIC = frozenset(
    "search fetch read get list time write find open query create update delete run call send echo add help status "
    "login user users note notes page pages file files image images template weather memory github git browser "
    "database excel markdown 搜索 查询 读取 列表 时间 模板".split()
)
_SHORTEST_NAME = 4
_CHANGING = (
    r"\b(?:instead of|rather than|in place of|when(?:ever)?|before|after|if|do not|don't|never|stop|avoid|replace"
    r"|replaces|set|change|prefer|supersedes?)\b"
)
_ZH_CHANGING = "(?:改为|改用|代替|取代|替代|不要再?(?:使用|调用)|别用|禁止(?:使用|调用)|而不是|之前|之后|时[,，]?(?:必须|应|要|请|将|把|改|先)|优先于|一律)"
_FOREIGN_TOOLS = re.compile(
    r"\b(?:other|another|any other) (?:mcp )?(?:servers?|services?)(?:'s|')? tools?\b|\btools? (?:of|from)"
    r" (?:other|another) (?:mcp )?"
    r"(?:servers?|services?)\b|其[他它](?:mcp)? ?(?:服务|服务器)的工具"
    r"|(?:用户要求|其[他它]|别的|另外的?)[^。;；]{0,16}?工具[^。;；]{0,8}?改用(?:本|此|该)工具"
)
_READS_FIRST = frozenset(
    "get list read search find fetch query view show count check describe lookup is has can preview validate look "
    "inspect status export explain analyze compare diff download".split()
)
_WRITES = frozenset(
    "delete remove write send execute exec create update insert upload drop publish post put kill edit modify rename "
    "move append overwrite purge reset install".split()
)
_DESTROYS = frozenset("delete remove drop purge destroy wipe overwrite erase truncate".split())
_ZH_WRITES = re.compile("^(?:删除|更新|发送|写入|创建|新建|执行|发布|上传|修改|移除|清空|提交)")
_ZH_DESTROYS = re.compile("^(?:删除|清空|移除|清除|销毁|覆盖)")
_ODD_PARAMETERS = frozenset(
    "sidenote side_note scratchpad inner_thoughts chain_of_thought conversation_history chat_history "
    "system_prompt_copy "
    "full_context previous_messages".split()
)
#: Parameters that are odd where nothing says what they are for.
_VAGUE_PARAMETERS = frozenset("reasoning context memory thoughts thought note notes history metadata".split())
#: A default or a choice of so many words, or Chinese characters, is a sentence.
_SENTENCE_WORDS = 10
_SENTENCE_CHARACTERS = 24
#: In characters; a tool's description, and the whole list as JSON.
_LONG_DESCRIPTION = 2_000
_LONG_LIST = 50_000
_LINK = re.compile(r"\bhttps?://[^\s)>\]}\"'`,，。；、]+", re.IGNORECASE)
_SHORTENERS = frozenset(
    "bit.ly t.co tinyurl.com goo.gl is.gd ow.ly buff.ly rebrand.ly cutt.ly rb.gy t.cn dwz.cn suo.im url.cn w.url.cn "
    "sourl.cn".split()
)
_NO_SITES = re.compile(
    r"^(?:localhost|127\.|0\.0\.0\.0$|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|\[?::1)|(?:^|\.)example(?:\.|$)"
    r"|\.(?:test|local|invalid)$|(?:^|\.)(?:w3\.org|json-schema\.org|schemas\.\w+\.\w+|purl\.org|xmlns\.com)$"
)
_BARE_ADDRESS = re.compile(r"^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]|0x[0-9a-f]{8}|\d{8,10})$")


def shadow(text: Text, names_here: Collection[str], neighbours: Neighbours) -> Iterator[Hit]:
    """T10: a text changes how tools of another service are used."""
    if text.kind is not Kind.PROSE:
        return
    here = {folded(name) for name in names_here}
    for sentence in text.sentences:
        form = sentence.folded
        if not re.search(f"{_CHANGING}|{_ZH_CHANGING}", form):
            continue
        if _FOREIGN_TOOLS.search(form):
            yield Hit("T10", Level.WARN, sentence.written)
        for service, names in neighbours.items():
            for name in names:
                word = folded(name)
                if _can_be_meant(word) and word not in here and _mentions(form, word):
                    yield Hit("T10", Level.WARN, sentence.written, {"service": service, "name": name})


def _can_be_meant(word: str) -> bool:
    is_long = len(word) >= _SHORTEST_NAME or (len(word) > 1 and not word.isascii())
    return is_long and word not in _GENERIC


def _mentions(form: str, word: str) -> bool:
    if word.isascii():
        # A name of one word may be an ordinary word, so it counts only as a name: in quotes, or before "tool".
        quoted = rf"[`'\"]{re.escape(word)}[`'\"]|\b{re.escape(word)} (?:mcp )?(?:tools?|server|service)\b"
        bare = rf"(?<![\w-]){re.escape(word)}(?![\w-])"
        return re.search(bare if re.search("[_.-]", word) else quoted, form) is not None
    return f"{word}工具" in form or f"{word}的工具" in form or f"{word}服务" in form


def name_tricks(name: Text, siblings: Collection[str], neighbours: Neighbours) -> Iterator[Hit]:
    """T11: a name has letters of several scripts, or looks like another name."""
    scripts = {script(character) for character in name.written if character.isalpha()}
    letters = scripts & {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"}
    if len(letters) > 1:
        yield Hit("T11", Level.BLOCK, name.written, {"scripts": ", ".join(sorted(letters))})
    if name.kind is not Kind.NAME:
        return
    picture = _picture(name.written)
    for other in sorted({*siblings, *(other for names in neighbours.values() for other in names)}):
        if other != name.written and _picture(other) == picture:
            yield Hit("T11", Level.BLOCK, name.written, {"like": other})


@lru_cache(maxsize=4096)
def _picture(name: str) -> str:
    """Return a name in a form that is equal for names that look the same."""
    plain = "".join("l" if letter in "I1|" else letter for letter in with_latin_letters(name))
    return plain.replace("0", "o").replace("O", "o") if plain.isascii() else folded(plain)


def lie(tool: Tool) -> Iterator[Hit]:
    """T12: the annotations say that the tool only reads or destroys nothing, and its name says otherwise."""
    words = _words(tool.name)
    first = next((word for word in words if word in _READS_FIRST or word in _WRITES), "")
    title = folded(tool.title)
    if tool.annotations.get("readOnlyHint") is True:
        if first in _WRITES or _ZH_WRITES.search(title):
            yield Hit("T12", Level.WARN, tool.name, {"hint": "readOnlyHint: true"})
    elif tool.annotations.get("destructiveHint") is False:
        if first in _DESTROYS or _ZH_DESTROYS.search(title):
            yield Hit("T12", Level.WARN, tool.name, {"hint": "destructiveHint: false"})


def _words(name: str) -> list[str]:
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [word.lower() for word in re.split(r"[^A-Za-z]+", apart) if word]


def odd_parameters(tool: Tool) -> Iterator[Hit]:
    """T14: a parameter that must be given has no use that is told, or a value is a sentence."""
    described = folded(tool.description)
    for name, schema in tool.parameters.items():
        plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
        is_told = bool(schema.get("description")) or plain.replace("_", " ") in described or plain in described
        if name in tool.required and (plain in _ODD_PARAMETERS or (plain in _VAGUE_PARAMETERS and not is_told)):
            yield Hit("T14", Level.WARN, name)
        choices = schema.get("enum")
        for value in (schema.get("default"), *(choices if isinstance(choices, list) else ())):
            if isinstance(value, str) and _is_sentence(value):
                yield Hit("T14", Level.WARN, value, {"parameter": name})


def _is_sentence(value: str) -> bool:
    chinese = sum("\u4e00" <= character <= "\u9fff" for character in value)
    words = re.findall(r"(?<!\S)[A-Za-z][a-z']*[.,;:!?]?(?!\S)", value)
    return chinese >= _SENTENCE_CHARACTERS or len(words) >= _SENTENCE_WORDS


def length(tool: Tool) -> Iterator[Hit]:
    """T15: the description of a tool is very long."""
    if len(tool.description) > _LONG_DESCRIPTION:
        yield Hit("T15", Level.INFO, tool.name, {"characters": str(len(tool.description))})


def list_length(tools: Collection[Tool]) -> Iterator[Hit]:
    """T15: all tools together are very long."""
    try:
        characters = sum(len(json.dumps(dict(tool.content), ensure_ascii=False)) for tool in tools)
    except (RecursionError, TypeError, ValueError):
        characters = sum(len(text.written) for tool in tools for text in tool.texts)
    if characters > _LONG_LIST:
        yield Hit("T15", Level.INFO, "", {"characters": str(characters)})


def links(text: Text, homepage: str = "") -> Iterator[Hit]:
    """T17: a link leads to a bare address, through a shortener, without encryption, or to a foreign site."""
    if text.kind is not Kind.PROSE:
        return
    home = _site(_host(homepage))
    for link in _LINK.findall(text.written):
        host = _host(link)
        if not host or _NO_SITES.search(host):
            continue
        is_odd = _BARE_ADDRESS.search(host) or host in _SHORTENERS or link.lower().startswith("http://")
        if is_odd or (home and _site(host) != home):
            yield Hit("T17", Level.INFO, link)


def _host(link: str) -> str:
    try:
        return (urlsplit(link).hostname or "").lower()
    except ValueError:
        return ""


def _site(host: str) -> str:
    return ".".join(host.split(".")[-2:])
