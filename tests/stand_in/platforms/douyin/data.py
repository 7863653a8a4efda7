"""Holds the invented data of the stand-in for Douyin, in the site's shapes."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

VIDEO = "7530000000000000001"
PICTURES = "7530000000000000002"
QUIET_VIDEO = "7530000000000000003"
USER = "MS4wLjABAAAAstandin-user_00000000000000000000000000000000000000000001"
OTHER_USER = "MS4wLjABAAAAstandin-user_00000000000000000000000000000000000000000002"
COMMENT_TOTAL, COMMENT_PAGE = 25, 10
POSTS_TOTAL, POSTS_PAGE = 30, 18
SEARCH_TOTAL, SEARCH_PAGE = 35, 10
HOT_TOTAL, RISING_TOTAL = 51, 20
#: 2025-07-23 10:40 in China.
CREATED = 1753238400
DESCRIPTION = "在家做手冲 ☕️ 第一次也能成功 #咖啡 #手冲"


def picture(name: str) -> Json:
    """Return an object of a picture."""
    return {"uri": name, "url_list": [f"https://p3.douyinpic.example/{name}.jpeg"], "width": 720, "height": 1280}


def author(user_ref: str = USER) -> Json:
    """Return the author in the object of a video."""
    return {
        "uid": "100000000001", "sec_uid": user_ref, "nickname": "咖啡\u200b阿明", "unique_id": "amingcoffee",
        "short_id": "0", "signature": "每天一杯", "avatar_thumb": picture("avatar"),
    }  # fmt: skip


def aweme(video_id: str = VIDEO, index: int = 0, **values: Any) -> Json:
    """Return the object of a video."""
    return {
        "aweme_id": video_id,
        "aweme_type": 0,
        "desc": DESCRIPTION,
        "create_time": CREATED - index * 86_400,
        "author": author(),
        "statistics": {
            "digg_count": 12_345 - index * 100, "comment_count": COMMENT_TOTAL, "collect_count": 678,
            "share_count": 90, "play_count": 0,
        },
        "video": {
            "duration": 61_400, "cover": picture("cover"),
            "play_addr": {"uri": "v1", "url_list": ["https://v3.douyinvod.example/secret.mp4"]},
        },
        "images": None,
        "music": {"title": "@咖啡阿明创作的原声", "play_url": {"url_list": []}},
        "text_extra": [{"hashtag_name": "咖啡", "start": 20}, {"hashtag_name": "手冲"}, {"user_id": "1"}],
        "is_top": 0,
        **values,
    }  # fmt: skip


def pictures(video_id: str = PICTURES) -> Json:
    """Return the object of a set of pictures."""
    return aweme(video_id, aweme_type=68, images=[picture("one"), picture("two")])


def odd_aweme(video_id: str = VIDEO) -> Json:
    """Return the object of a video with numbers as text, missing parts, invisible characters and a very long text."""
    return {
        "aweme_id": int(video_id),
        "desc": "<b>不是标签</b> 👨‍👩‍👧\u202e" + "长" * 5000,
        "create_time": str(CREATED),
        "author": None,
        "statistics": {"digg_count": "1.7万", "comment_count": "10万+", "collect_count": "", "share_count": None},
        "video": None,
        "images": "none",
        "text_extra": None,
    }


def detail(video_id: str) -> Json:
    """Return the object of the video with this id."""
    if video_id == PICTURES:
        return pictures()
    if video_id == QUIET_VIDEO:
        return aweme(video_id, statistics={"digg_count": 1, "comment_count": 0})
    return aweme(video_id)


def comments(video_id: str, start: int) -> Json:
    """Return the answer of the call for comments."""
    numbers = range(start, min(start + COMMENT_PAGE, COMMENT_TOTAL))
    listed = [
        {
            "cid": f"74{number:017d}", "aweme_id": video_id, "text": f"评论 {number} [赞]", "digg_count": 100 - number,
            "create_time": CREATED + number * 60, "reply_comment_total": number % 3, "ip_label": "上海",
            "user": {"nickname": f"观众{number}", "sec_uid": OTHER_USER},
            "image_list": [picture("c")] if number == 1 else None, "stick_position": int(number == 0),
        }
        for number in numbers
    ]  # fmt: skip
    end = start + len(listed)
    return {
        "status_code": 0, "comments": listed, "cursor": end, "has_more": int(end < COMMENT_TOTAL),
        "total": COMMENT_TOTAL,
    }  # fmt: skip


def user(user_ref: str) -> Json:
    """Return the object of a user."""
    return {
        **author(user_ref), "follower_count": 123_456, "following_count": 78, "total_favorited": 9_876_543,
        "aweme_count": POSTS_TOTAL, "ip_location": "IP属地：上海", "custom_verify": "咖啡师", "secret": 0,
    }  # fmt: skip


def posts(start: int) -> Json:
    """Return the answer of the call for a user's videos; the first is pinned."""
    numbers = range(start, min(start + POSTS_PAGE, POSTS_TOTAL))
    listed = [aweme(str(int(VIDEO) + 1000 + number), number, is_top=int(number == 0)) for number in numbers]
    end = start + len(listed)
    return {"status_code": 0, "aweme_list": listed, "max_cursor": end, "has_more": int(end < POSTS_TOTAL)}


def search(keyword: str, start: int, total: int = SEARCH_TOTAL, moved: int = 0) -> Json:
    """Return the answer of the call for results, in an order that has moved on by `moved` places.

    Cards of other kinds are among them.
    """
    numbers = [(place + moved) % total for place in range(start, min(start + SEARCH_PAGE, total))]
    listed: list[Json] = [
        {"type": 1, "aweme_info": aweme(str(int(VIDEO) + 2000 + number), number, desc=f"{keyword} 第 {number} 个")}
        for number in numbers
    ]
    if start == 0 and len(listed) > 2:
        mixed = [listed[1]["aweme_info"], listed[2]["aweme_info"]]
        listed[1:3] = [{"type": 16, "aweme_mix_info": {"mix_items": mixed}}]
        listed.insert(1, {"type": 4, "user_list": [{"user_info": user(USER)}]})
    end = start + len(numbers)
    return {
        "status_code": 0, "data": listed, "has_more": int(end < total), "cursor": end,
        "extra": {"logid": "20251129000000000000000000000000"},
    }  # fmt: skip


def hot() -> Json:
    """Return the answer of the call for the hot list; its first entry is pinned above the first place."""
    listed = [
        {
            "position": number, "sentence_id": f"24{number:05d}", "word": f"热点 {number}",
            "hot_value": 12_000_000 - number * 1000, "event_time": CREATED, "label": number % 4,
            "video_count": 3, "word_cover": picture("hot"),
        }
        for number in range(1, HOT_TOTAL)
    ]  # fmt: skip
    rising = [{"word": f"上升 {number}", "sentence_id": f"25{number:05d}"} for number in range(RISING_TOTAL)]
    return {
        "status_code": 0,
        "data": {"active_time": "2025-11-29 16:45:00", "word_list": listed, "trending_list": rising},
    }
