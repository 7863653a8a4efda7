"""Which tools the search index finds for a question, which never, and what it takes for a question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dyber_hub.catalogue import Tool
from dyber_hub.live import LiveCatalogue
from dyber_hub.search.index import SearchIndex
from dyber_hub.search.words import index_words, query_words
from dyber_hub.views import ShownTool, View

from tests.stand_in.hub.catalogues import real_catalogue

#: Questions about the services in this repository, each with the tools of which any is a right answer.
QUESTIONS = {
    "微博热搜": ["weibo_hot_list"],
    "今天知乎上大家在讨论什么热点": ["zhihu_list_hot"],
    "抖音热榜": ["douyin_hot_list"],
    "小红书搜笔记": ["xhs_search_notes"],
    "搜一下小红书上关于露营的帖子": ["xhs_search_notes"],
    "发一篇图文笔记": ["xhs_publish_image"],
    "给笔记点个赞": ["xhs_like"],
    "看看这个B站视频的字幕": ["bilibili_get_subtitle"],
    "视频里说了什么": ["bilibili_get_subtitle"],
    "扫码登录微博": ["weibo_login_qrcode"],
    "微博登录了没有": ["weibo_login_status"],
    "知乎额度还剩多少": ["zhihu_status"],
    "这个抖音分享链接是什么": ["douyin_resolve_link"],
    "统计知乎一个问题的回答": ["zhihu_analyze_question"],
    "找一个小红书博主": ["xhs_search_users"],
    "抖音视频的评论": ["douyin_get_comments"],
    "up主最近投稿": ["bilibili_get_user"],
    "热榜": ["douyin_hot_list", "zhihu_list_hot"],
    "show me open pull requests of a repository": ["github_search_issues"],
    "why did the CI workflow run fail": ["github_get_run", "github_list_runs"],
    "trending GitHub projects": ["github_list_trending"],
    "read a file in a GitHub repo": ["github_read_file"],
    "create a GitHub issue": ["github_create_issue"],
    "latest releases of a github repository": ["github_list_releases"],
    "search code": ["github_search_code"],
    "GitHub commit 历史": ["github_list_commits"],
    "原样返回一段文字，看连接通不通": ["template_echo"],
    "读来源里的一个条目": ["template_get"],
    "countdown with progress": ["template_countdown"],
    "douyin user videos": ["douyin_list_user_videos"],
    "weibo comments": ["weibo_get_comments"],
    "xhs 评论 reply": ["xhs_reply"],
    "search notes on xiaohongshu": ["xhs_search_notes"],
    "xiaohongshu user profile": ["xhs_get_user"],
    "zhihu hot list": ["zhihu_list_hot"],
}
#: Short and loose questions about the same services.
LOOSE_QUESTIONS = """热搜|登录|评论|搜索视频|收藏笔记|关注用户|知乎文章全文|仓库有哪些分支|合并请求|读取文件内容|弹幕|点赞|粉丝最多的博主
视频详情|分享链接解析|今天有什么新闻热点|最近大家都在聊什么|帮我看看这条微博下面怎么骂的|查一下这个up主有多少粉丝|GitHub 上最火的项目
CI 为什么挂了|小红书 穿搭 攻略|list branches|login status|hot topics today|rate limit|who wrote this answer|检查进度|echo
star a repository|find the bug reports about memory leak in a repo|download release assets|analyze comments sentiment"""
#: Questions about what these services have nothing of; some find tools, but only by single characters.
FOREIGN_QUESTIONS = """天气预报|查快递|发一封邮件|翻译成英文|股票价格|汇率换算|附近的餐厅|设一个闹钟|写一首诗|画一只猫|地图导航|日历安排
计算圆周率|查火车票|银行余额|执行 SQL|发短信|weather forecast|book a flight to Paris|translate this sentence to French|nearby restaurants
set an alarm|calendar events tomorrow|docker containers"""
#: How many questions the index answers right, measured: with the first tool, and among the first five.
FIRST, AMONG_FIVE = 29, 33


def tool(name: str, title: str = "", description: str = "", schema: Any = None, service: str = "demo") -> ShownTool:
    entry = {"name": name, "title": title, "description": description, "inputSchema": schema or {}}
    return ShownTool(name, service, Tool.of(entry), entry)


def index_of(*tools: ShownTool, **titles: str) -> SearchIndex:
    return SearchIndex(tools, titles)


@pytest.fixture(scope="module")
def real() -> Iterator[SearchIndex]:
    """Return an index of the services in this repository."""
    view = View(LiveCatalogue(real_catalogue()))
    titles = {service.name: service.title for service in view.services}
    index = SearchIndex(list(view.contents.tools.values()), titles)
    yield index
    index.close()


def real_names() -> list[str]:
    return [tool.name for service in real_catalogue().services.values() for tool in service.tools or ()]


def test_questions_about_the_real_services_are_answered_as_well_as_measured(real: SearchIndex) -> None:
    results = {question: real.find(question, real_names(), 5) for question in QUESTIONS}
    first = [
        question for question, right in QUESTIONS.items() if results[question][:1] and results[question][0] in right
    ]
    among_five = [question for question, right in QUESTIONS.items() if set(results[question]) & set(right)]
    assert (len(first) >= FIRST, len(among_five) >= AMONG_FIVE) == (True, True), (
        len(first),
        len(among_five),
        [(question, results[question]) for question in QUESTIONS if question not in first],
    )


def fits(index: SearchIndex, question: str) -> bool:
    return index.fits(question, index.find(question, real_names(), 8))


@pytest.mark.parametrize("question", [*QUESTIONS, *LOOSE_QUESTIONS.replace("\n", "|").split("|"), "热", "2024"])
def test_what_the_services_have_something_of_fits(real: SearchIndex, question: str) -> None:
    assert fits(real, question)


@pytest.mark.parametrize("question", FOREIGN_QUESTIONS.replace("\n", "|").split("|"))
def test_what_the_services_have_nothing_of_does_not_fit(real: SearchIndex, question: str) -> None:
    assert not fits(real, question)


@pytest.mark.parametrize("name", real_names())
def test_every_tool_is_the_first_for_its_own_name(real: SearchIndex, name: str) -> None:
    assert real.find(name, real_names(), 1) == [name]
    assert real.find(f"怎么用 {name.upper()}？", real_names(), 1) == [name]
    assert real.fits(name, [name])
    assert name not in real.find(name, [other for other in real_names() if other != name], 20)


@pytest.mark.parametrize("query", ["登录", "status", "登录 status", "B站", "ＧＩＴＨＵＢ"])
def test_short_chinese_english_and_mixed_queries_find_something(real: SearchIndex, query: str) -> None:
    assert real.find(query, real_names(), 20)


@pytest.mark.parametrize(
    "query",
    [
        '"',
        '""',
        "'",
        "*",
        "登录*",
        "NEAR(a b)",
        "name:x",
        "a AND",
        "OR",
        "NOT",
        "(",
        "^",
        "-",
        "a + b",
        "\x00",
        "\ud800",
        "{a b}",
    ],
)
def test_no_query_is_syntax(real: SearchIndex, query: str) -> None:
    assert isinstance(real.find(query, real_names(), 20), list)


@pytest.mark.parametrize("query", ["", "   ", "？！", "🙂"])
def test_a_query_without_words_finds_nothing(real: SearchIndex, query: str) -> None:
    assert real.find(query, real_names(), 20) == []


@pytest.mark.parametrize(
    "query", ["登录" * 2500, "a" * 5000, "status " * 800, "".join(map(chr, range(0x4E00, 0x4E00 + 5000)))]
)
def test_a_long_query_is_cut(real: SearchIndex, query: str) -> None:
    assert len(query_words(query)) <= 64
    assert len(real.find(query, real_names(), 20)) <= 20


def test_tools_that_the_caller_may_not_see_take_no_place_among_the_results(real: SearchIndex) -> None:
    everything = real.find("登录", real_names(), 20)
    allowed = [name for name in real_names() if name not in everything[:5]]
    assert real.find("登录", allowed, 3) == everything[5:8]
    assert real.find("登录", [], 20) == []
    assert real.find("登录", ["no_such_tool", "TEMPLATE_ECHO"], 20) == []


def test_the_name_and_the_title_count_more_than_the_description_and_the_description_more_than_parameters() -> None:
    schema = {"type": "object", "properties": {"where": {"description": "weather of the town"}}}
    index = index_of(
        tool("demo_parameter", "Something", "Something else.", schema),
        tool("demo_description", "Something", "The weather here."),
        tool("demo_title", "Weather", "Something else."),
    )
    names = ["demo_parameter", "demo_description", "demo_title"]
    assert index.find("weather", names, 9) == ["demo_title", "demo_description", "demo_parameter"]


@pytest.mark.parametrize("query", ["乙站", "second"])
def test_the_title_and_the_name_of_the_service_count_for_its_tools(query: str) -> None:
    index = index_of(tool("a_find", service="first"), tool("b_find", service="second"), first="甲站", second="乙站")
    assert index.find(query, ["a_find", "b_find"], 9)[0] == "b_find"


def test_parameters_deep_in_a_schema_count_and_odd_schemas_do_not_matter() -> None:
    deep = {"properties": {"list": {"items": {"anyOf": [{"properties": {"colour": {"description": "绿色"}}}, None]}}}}
    endless: dict[str, Any] = {"properties": {}}
    endless["properties"]["again"] = endless
    odd = {"properties": [1], "items": True, "anyOf": None, "allOf": 5, "oneOf": [5], "$defs": 5}
    index = index_of(tool("demo_paint", schema=deep), tool("demo_loop", schema=endless), tool("x", schema=odd))
    assert index.find("绿色", ["demo_paint", "demo_loop", "x"], 9) == ["demo_paint"]
    assert index.find("again", ["demo_paint", "demo_loop", "x"], 9) == ["demo_loop"]


def test_two_indexes_know_nothing_of_each_other_and_a_closed_index_spoils_no_other() -> None:
    first, second = index_of(tool("a_find")), index_of(tool("b_find"))
    first.close()
    assert second.find("find", ["a_find", "b_find"], 9) == ["b_find"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("getHTTPStatus2 v1.2", ["get", "http", "status2", "v1", "2"]),
        ("B站的up主", ["b", "站的", "站", "的", "up", "主"]),
        ("ﬁle　ＡＢＣ", ["file", "abc"]),
        ("한국어 Übersicht", ["한국", "국어", "한", "국", "어", "übersicht"]),
    ],
)
def test_a_text_becomes_words_pairs_and_characters(text: str, words: list[str]) -> None:
    assert index_words(text) == words


def test_words_that_every_question_has_are_left_out_unless_there_are_no_others() -> None:
    assert query_words("How do I find 的?") == ["find"]
    assert query_words("what is the") == ["what", "is", "the"]
    assert query_words("今天的热榜") == ["的热", "热榜", "热", "榜"]
