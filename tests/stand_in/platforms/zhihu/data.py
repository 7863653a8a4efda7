"""Makes the data of the stand-in for Zhihu, in the shapes of the official API, of page states and of pages' calls."""

from __future__ import annotations

from typing import Any

Raw = dict[str, Any]

QUESTION, ANSWER, ARTICLE, USER = "4207849", "188001", "77001", "zhang-jia-wei"
ANSWERS, COMMENTS, RESULTS, HOT = 23, 34, 25, 30
CREATED = 1_745_486_539  # 2025-04-24 17:22:19 in China
LONG = "这一段说明为什么要这样做，以及不这样做会怎样。" * 400
HTML = (
    "<p>先说结论：<b>值得</b>。</p><p>理由有三：环境、习惯、时间。&lt;不是广告&gt;</p>"
    "<figure><img src='https://pic1.zhimg.com/a.jpg'></figure><p>公式 <img eeimg='1' alt='E=mc^2'> 很有名👨‍👩‍👧。</p>"
)
FIELDS: dict[str, set[str]] = {
    "hot": {"Title", "Url", "ThumbnailUrl", "Summary"},
    "search": {
        "Title", "ContentType", "ContentID", "ContentText", "Url", "CommentCount", "VoteUpCount", "AuthorName",
        "AuthorAvatar", "AuthorBadge", "AuthorBadgeText", "EditTime", "CommentInfoList", "AuthorityLevel",
        "RankingScore",
    },
    "answers": {"ContentType", "ContentToken", "Url", "Summary"},
    "paging": {"IsEnd", "NextOffset", "Totals"},
    "quota": {"APIID", "APIName", "TotalQuota", "TotalUsed", "RemainingQuota"},
}  # fmt: skip


def official_hot(number: int) -> Raw:
    """Return an entry of the official hot list; every fifth is an article."""
    url = f"https://zhuanlan.zhihu.com/p/{number}" if number % 5 == 0 else f"https://www.zhihu.com/question/{number}"
    return {"Title": f"热点 {number}", "Url": url, "ThumbnailUrl": "", "Summary": f"摘要 {number}"}


def official_result(number: int, web: bool = False) -> Raw:
    """Return a result of the official search on Zhihu, or on the web."""
    url = (
        f"https://news.example.com/{number}"
        if web
        else f"https://www.zhihu.com/question/{QUESTION}/answer/{number}?utm_medium=openapi_platform"
    )
    return {
        "Title": f"习惯与<em>意志力</em> {number}",
        "ContentType": "Answer",
        "ContentID": str(number),
        "ContentText": f"习惯比<em>意志力</em>可靠 {number}",
        "Url": url,
        "CommentCount": 3,
        "VoteUpCount": 100 - number,
        "AuthorName": f"作者{number}",
        "AuthorAvatar": "https://picx.zhimg.com/a.jpg",
        "AuthorBadge": "",
        "AuthorBadgeText": "心理学话题优秀答主",
        "EditTime": CREATED,
        "CommentInfoList": [{"Content": "说得好"}],
        "AuthorityLevel": "2",
        "RankingScore": 0.9,
    }


def official_answer(number: int) -> Raw:
    """Return an excerpt of an answer from the official API."""
    return {
        "ContentType": "answer",
        "ContentToken": str(number),
        "Url": f"https://www.zhihu.com/question/{QUESTION}/answer/{number}",
        "Summary": f"第 {number} 个回答的摘要……",
    }


def quotas(used: dict[str, int], totals: dict[str, int]) -> list[Raw]:
    """Return the answer's list of quotas."""
    names = {
        "zhihu_search": "知乎搜索",
        "global_search": "全网搜",
        "hot_list": "热榜",
        "question_answers": "知乎问题回答",
    }
    return [
        {
            "APIID": name,
            "APIName": title,
            "TotalQuota": totals[name],
            "TotalUsed": used[name],
            "RemainingQuota": max(0, totals[name] - used[name]),
        }
        for name, title in names.items()
    ]


def hot_entry(number: int) -> Raw:
    """Return an entry of the hot list in the state of its page."""
    return {
        "type": "hot_list_feed",
        "id": f"{number}_1764000000",
        "target": {
            "titleArea": {"text": f"热点 {number}"},
            "excerptArea": {"text": f"摘要 {number}"},
            "imageArea": {"url": ""},
            "metricsArea": {"text": f"{3326 - number} 万热度", "fontColor": ""},
            "link": {"url": f"https://www.zhihu.com/question/{number}"},
        },
    }


def author(number: int) -> Raw:
    """Return an author in the state of a page; every seventh is anonymous."""
    if number % 7 == 0:
        return {"id": "0", "urlToken": "", "name": "匿名用户", "headline": ""}
    return {"id": f"hash{number}", "urlToken": f"user-{number}", "name": f"作者{number}", "headline": f"职业{number}"}


def answer(number: int, content: str = HTML) -> Raw:
    """Return an answer in the state of a page."""
    return {
        "id": str(number),
        "type": "answer",
        "question": {"id": QUESTION, "title": "习惯和意志力哪个更可靠？", "type": "question"},
        "author": author(number % 100),
        "content": content,
        "excerpt": "先说结论：值得。",
        "voteupCount": 1200 - number % 100,
        "commentCount": COMMENTS,
        "createdTime": CREATED,
        "updatedTime": CREATED + 86_400,
        "ipInfo": "IP 属地上海",
        "favlistsCount": 12,
    }


def called_answer(number: int) -> Raw:
    """Return an answer as the page's own call brings it."""
    state = answer(number)
    return {
        "id": int(state["id"]),
        "type": "answer",
        "question": {"id": int(QUESTION), "title": "习惯和意志力哪个更可靠？", "type": "question"},
        "author": {"name": state["author"]["name"], "url_token": state["author"]["urlToken"], "headline": ""},
        "content": state["content"],
        "excerpt": state["excerpt"],
        "voteup_count": state["voteupCount"],
        "comment_count": COMMENTS,
        "created_time": CREATED,
        "updated_time": CREATED,
    }


def question() -> Raw:
    """Return the question in the state of its page."""
    return {
        "id": QUESTION,
        "type": "question",
        "title": "习惯和意志力哪个更可靠？",
        "detail": "<p>最近在读相关的书，想听听大家的看法。</p>",
        "excerpt": "最近在读相关的书",
        "answerCount": ANSWERS,
        "followerCount": 5120,
        "visitCount": 1_203_004,
        "created": CREATED,
        "topics": [{"id": "1", "name": "心理学"}, {"id": "2", "name": "习惯"}],
    }


def article() -> Raw:
    """Return an article in the state of its page."""
    return {
        "id": ARTICLE,
        "type": "article",
        "title": "如何养成习惯",
        "author": {"id": "a", "urlToken": USER, "name": "张佳玮", "headline": "作家"},
        "content": f"<p>{LONG}</p>",
        "excerpt": "这一段说明",
        "voteupCount": 88,
        "commentCount": 0,
        "created": CREATED,
        "updated": CREATED,
    }


def comment(number: int) -> Raw:
    """Return a comment with, for every third, a reply."""
    replies = [
        {
            "id": f"{number}90",
            "content": "<p>同意</p>",
            "like_count": 1,
            "author": {"name": "路人"},
        }
    ]
    return {
        "id": str(number),
        "type": "comment",
        "content": f"<p>评论 {number} <script>alert(1)</script></p>",
        "created_time": CREATED + number,
        "like_count": 50 - number,
        "child_comment_count": 4 if number % 3 == 0 else 0,
        "child_comments": replies if number % 3 == 0 else [],
        "author": {"id": "x", "name": f"读者{number}", "url_token": f"reader-{number}"},
        "author_tag": [{"type": "content_author", "text": "作者"}] if number == 1 else [],
        "comment_tag": [{"type": "ip_info", "text": "IP 属地北京"}],
    }


def result(number: int) -> Raw:
    """Return a result of the search page; every tenth is an advertisement."""
    if number % 10 == 9:
        return {"type": "knowledge_ad", "id": f"ad{number}", "object": {"type": "ad", "title": "广告"}}
    return {
        "type": "search_result",
        "id": str(number),
        "highlight": {"title": f"结果 <em>{number}</em>"},
        "object": {
            "type": "article" if number % 4 == 0 else "answer",
            "id": 9000 + number,
            "title": f"文章 <em>{number}</em>" if number % 4 == 0 else "",
            "excerpt": f"摘要<em>{number}</em>",
            "content": HTML,
            "voteup_count": 300 - number,
            "comment_count": 5,
            "created_time": CREATED,
            "question": {"id": QUESTION, "name": f"问题 <em>{number}</em>"},
            "author": {"name": f"作者{number}", "url_token": f"user-{number}"},
        },
    }


def user() -> Raw:
    """Return a user in the state of a profile."""
    return {
        "id": "hash",
        "urlToken": USER,
        "name": "张佳玮",
        "headline": "作家<br>写字",
        "description": "无他",
        "isOrg": False,
        "badge": [{"type": "identity", "description": "作家"}],
        "followerCount": 2_000_000,
        "followingCount": 100,
        "answerCount": 3000,
        "articlesCount": 500,
        "voteupCount": 9_000_000,
        "favoritedCount": 1_000,
        "ipInfo": "IP 属地法国",
    }


def work(number: int) -> Raw:
    """Return an answer of the user."""
    written = {"urlToken": USER, "name": "张佳玮"}
    return {**answer(number), "author": written, "createdTime": CREATED + number}
