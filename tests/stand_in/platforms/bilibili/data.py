"""Makes the objects that bilibili.com sends, in its shapes; used by the stand-in for the site."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

BVID, AID = "BV1Stand1n11", 170001
SEARCHED, PER_PAGE = 90, 42
COMMENTS, PER_CALL = 45, 20
MID, UPLOADS, PER_UPLOADS = "208259", 57, 30
PUBLISHED = 1_795_000_000
_LETTERS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def envelope(data: object, code: int = 0, message: str = "0") -> Json:
    """Return an answer to a call."""
    return {"code": code, "message": message, "ttl": 1, "data": data}


#: Answers of the calls for data, by case: HTTP status and body.
REFUSED_CALLS: dict[str, tuple[int, object]] = {
    "risk": (200, envelope({"v_voucher": "voucher_1"}, -352, "风控校验失败")),
    "voucher": (200, envelope({"v_voucher": "voucher_1"})),
    "intercepted": (200, envelope(None, -412, "请求被拦截")),
    "call_412": (412, envelope(None, -412, "request was banned")),
    "busy": (200, envelope(None, -799, "请求过于频繁，请稍后再试")),
    "logged_out": (200, envelope(None, -101, "账号未登录")),
    "private": (200, envelope(None, -403, "访问权限不足")),
    "nobody": (200, envelope(None, -404, "啥都木有")),
    "unknown": (200, envelope(None, -4711, "今日客满")),
    "broken": (502, None),
    "not_json": (200, None),
}
#: Pages that take the place of all others, by case: HTTP status and body.
WALL_PAGES: dict[str, tuple[int, str]] = {
    "page_412": (412, "<p>错误号: 412</p><p>由于触发哔哩哔哩安全风控策略，该次访问请求被拒绝。</p>"),
    "captcha": (200, "<div class='geetest_panel'>请完成验证</div>"),
    "login_wall": (200, "<div class='bili-mini-mask'>登录后你可以</div>"),
    "page_404": (404, "<title>视频去哪了呢？_哔哩哔哩_bilibili</title><p>啊叻？视频不见了？</p>"),
    "new_layout": (200, "<main>哔哩哔哩全新改版</main>"),
    "page_500": (500, "<p>Internal Server Error</p>"),
}


def bvid(number: int) -> str:
    """Return the id of a video of a list."""
    return f"BV1Li5t{_LETTERS[number // 33 % 33]}{_LETTERS[number % 33]}1111"[:12]


def found_video(number: int) -> Json:
    """Return a video among the results of a search."""
    return {
        "type": "video", "aid": 5000 + number, "bvid": bvid(number), "author": f"UP{number % 7}", "mid": 900 + number % 7,
        "title": f'第 {number} 个 <em class="keyword">咖啡</em> &amp; 茶', "play": 100_000 - number * 10,
        "video_review": 30, "danmaku": 30, "favorites": 12, "review": 8, "like": 500 + number, "pubdate": PUBLISHED - number * 3600,
        "duration": f"{number % 60}:05", "pic": "//i0.hdslb.com/bfs/archive/a.jpg", "tag": "咖啡,手冲", "typename": "生活",
        "description": "怎样冲一杯咖啡", "arcurl": f"http://www.bilibili.com/video/av{5000 + number}",
    }  # fmt: skip


def found_user(number: int) -> Json:
    """Return a user among the results of a search."""
    return {
        "type": "bili_user", "mid": 900 + number, "uname": f"咖啡师{number}", "usign": "每天一杯", "fans": 12_000 - number,
        "videos": 30, "level": 6, "upic": "//i0.hdslb.com/bfs/face/a.jpg", "official_verify": {"type": 0, "desc": "生活UP主"},
    }  # fmt: skip


def found_article(number: int) -> Json:
    """Return an article among the results of a search."""
    return {
        "type": "article", "id": 7000 + number, "mid": 900, "title": '<em class="keyword">咖啡</em>入门', "view": 800,
        "like": 20, "reply": 3, "pub_time": PUBLISHED, "desc": "一篇专栏", "category_name": "生活",
    }  # fmt: skip


def search_answer(kind: str, page: int, total: int = SEARCHED) -> Json:
    """Return the data of a page of results."""
    make = {"video": found_video, "upuser": found_user, "article": found_article}[kind]
    numbers = range((page - 1) * PER_PAGE, min(page * PER_PAGE, total))
    data: Json = {
        "seid": "1", "page": page, "pagesize": PER_PAGE, "numResults": total, "numPages": -(-total // PER_PAGE),
    }  # fmt: skip
    return data | ({"result": [make(number) for number in numbers]} if total else {})


def listed_video(number: int) -> Json:
    """Return a video of a hot list."""
    return {
        "aid": 5000 + number, "bvid": bvid(number), "cid": 1, "title": f"热门 {number}", "pic": "http://i0.hdslb.com/a.jpg",
        "desc": "简介", "pubdate": PUBLISHED, "duration": 3725, "tname": "生活",
        "owner": {"mid": 900, "name": "咖啡师", "face": ""},
        "stat": {"view": 1_234_567, "danmaku": 99, "reply": 88, "favorite": 77, "coin": 66, "share": 55, "like": 44},
        "rcmd_reason": {"content": "百万播放", "corner_mark": 0}, "short_link_v2": "https://b23.tv/abc1234",
    }  # fmt: skip


def video(video_id: str = BVID, parts: int = 2) -> Json:
    """Return the video of a video's page."""
    return listed_video(1) | {
        "bvid": video_id, "aid": AID, "title": "手冲咖啡 <入门>", "desc": "一步一步\n做一杯咖啡" + "好" * 300,
        "pages": [{"cid": page, "page": page, "part": f"第{page}节", "duration": 600} for page in range(1, parts + 1)],
    }  # fmt: skip


def comment(number: int, *, replies: int = 0) -> Json:
    """Return a comment, or a reply to one."""
    return {
        "rpid": 1000 + number, "rpid_str": str(1000 + number), "oid": AID, "type": 1, "parent": 0, "mid": 300 + number,
        "ctime": PUBLISHED + number, "like": 100 - number, "rcount": 5 if replies else 0,
        "content": {"message": f"评论 {number} <b>[doge]</b>", "emote": {}},
        "member": {"mid": str(300 + number), "uname": f"观众{number}", "avatar": ""},
        "reply_control": {"location": "IP属地：上海", "time_desc": "2小时前发布"},
        "replies": [comment(number * 10 + 5000 + each) for each in range(replies)] or None,
    }  # fmt: skip


def comment_answer(start: int, total: int = COMMENTS) -> Json:
    """Return the data of the comments from a place on."""
    end = min(start + PER_CALL, total)
    cursor = {
        "is_begin": start == 0, "prev": 1, "next": end, "is_end": end >= total, "mode": 3, "all_count": total,
        "pagination_reply": {"next_offset": str(end)},
    }  # fmt: skip
    return {
        "cursor": cursor,
        "replies": [comment(number, replies=2 if number == 0 else 0) for number in range(start, end)] or None,
        "top_replies": [comment(900)] if start == 0 and total else None,
    }


def subtitle_lines(count: int = 120) -> Json:
    """Return a file with subtitles."""
    lines = [
        {"from": number * 2.5, "to": number * 2.5 + 2, "sid": number, "location": 2, "content": f"第 {number} 句 水温"}
        for number in range(count)
    ]
    lines[7]["content"] = "现在\n闷蒸三十秒"
    return {"font_size": 0.4, "font_color": "#FFFFFF", "body": lines}


def subtitle_list(base: str) -> list[Json]:
    """Return the subtitles that the player is offered."""
    named = [("ai-zh", "中文（自动生成）", 1), ("zh-CN", "中文（中国）", 0), ("en-US", "英语（美国）", 0)]
    return [
        {
            "id": place,
            "lan": lan,
            "lan_doc": doc,
            "type": kind,
            "ai_type": 0,
            "subtitle_url": f"{base}/bfs/subtitle/{lan}.json",
        }
        for place, (lan, doc, kind) in enumerate(named)
    ]


def profile(mid: str) -> Json:
    """Return a user of a space."""
    return {
        "mid": int(mid), "name": "咖啡师", "sex": "保密", "face": "", "sign": "每天一杯 &lt;3", "level": 6,
        "official": {"role": 1, "title": "bilibili 知名美食UP主", "desc": "", "type": 0},
    }  # fmt: skip


def upload(number: int) -> Json:
    """Return a video of a space."""
    return {
        "bvid": bvid(200 + number), "aid": 1, "title": f"投稿 {number}", "play": 1000 + number, "comment": 12, "video_review": 5,
        "created": PUBLISHED - number * 86_400, "length": "10:00", "pic": "http://i0.hdslb.com/a.jpg", "description": "简介",
        "mid": int(MID), "author": "咖啡师",
    }  # fmt: skip


def upload_answer(page: int, total: int = UPLOADS) -> Json:
    """Return the data of a page of a space's videos."""
    numbers = range((page - 1) * PER_UPLOADS, min(page * PER_UPLOADS, total))
    return {
        "list": {"tlist": {}, "vlist": [upload(number) for number in numbers]},
        "page": {"pn": page, "ps": PER_UPLOADS, "count": total},
    }


def hot_words(count: int) -> Json:
    """Return the answer with the words that people search for."""
    words = [
        {
            "pos": place,
            "keyword": f"热搜{place}",
            "show_name": f"热搜 {place}",
            "icon": "",
            "heat_score": 900_000 - place,
            "word_type": 8,
        }
        for place in range(1, count + 1)
    ]
    return {"code": 0, "message": "success", "timestamp": PUBLISHED, "list": words}


#: Values of other types than usual: numbers as text, missing and null fields, markup, emoji, a very long text.
ODD_VIDEO = found_video(0) | {
    "title": "<em class='keyword'>咖啡</em>☕️👩‍💻\u200b" + "长" * 5000, "play": "1.2万", "like": "--", "pubdate": str(PUBLISHED),
    "duration": "1:02:03", "tag": None, "description": None, "mid": "900", "favorites": -1, "pic": None, "author": None,
}  # fmt: skip
