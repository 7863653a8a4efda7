"""Objects in the shapes the xiaohongshu stand-in serves."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# The last two hex digits of a note id choose what its page does.
ID_PREFIX = "66fad51c00000000000000"
NORMAL_NOTE = ID_PREFIX + "01"
SLOW_NOTE = ID_PREFIX + "02"
REMOVED_NOTE = ID_PREFIX + "03"
PRIVATE_NOTE = ID_PREFIX + "04"
RATE_LIMITED_NOTE = ID_PREFIX + "05"
LOGIN_NOTE = ID_PREFIX + "06"
CAPTCHA_NOTE = ID_PREFIX + "07"
NO_COMMENTS_NOTE = ID_PREFIX + "08"
COMMENT_WALL_NOTE = ID_PREFIX + "09"
MISSING_NOTE = ID_PREFIX + "0a"
QUOTING_NOTE = ID_PREFIX + "0c"

COMMENT_TOTAL = 25
COMMENT_PAGE = 10
SEARCH_TOTAL = 45
SEARCH_PAGE = 20
# ends with "=", contains "+" and "/": everything a careless URL would break
TOKEN = "ABtoken_x-y+z/9="


def user(index: int) -> Json:
    """A user object; search cards spell the name `nickName`."""
    return {
        "userId": f"5f{index:022x}",
        "nickName": f"用户{index}",
        "nickname": f"用户{index}",
        "avatar": "https://picture.invalid/a.jpg",
        "xsecToken": "USER-TOKEN-NOT-FOR-NOTES=",
    }


def feed_item(index: int, keyword: str) -> Json:
    """One search result; the first shows rounded counts."""
    liked = {0: "1.7万", 1: "10万+", 2: "赞"}.get(index, str(80 + index))
    return {
        "id": f"66fad51c0000000000000f{index:02x}" if index else NORMAL_NOTE,
        "xsecToken": TOKEN,
        "modelType": "note",
        "index": index,
        "noteCard": {
            "type": "video" if index % 3 == 1 else "normal",
            "displayTitle": f"{keyword}笔记{index}\u200b",
            "user": user(index),
            "interactInfo": {
                "liked": False,
                "likedCount": liked,
                "collected": False,
                "collectedCount": "12",
                "commentCount": "3",
                "sharedCount": "1",
            },
            "cover": {"width": 3, "height": 4, "urlDefault": "https://picture.invalid/c.jpg"},
            "video": None,
        },
    }


def other_item(index: int) -> Json:
    """A search result that is not a note."""
    return {"id": f"query-{index}", "modelType": "rec_query", "index": index, "recQuery": {"title": "猜你想搜"}}


def note(note_id: str) -> Json:
    """A note object of a note page."""
    quoted = "有人问：请通过验证 是什么意思？访问频次异常 又是什么？" if note_id == QUOTING_NOTE else ""
    return {
        "noteId": note_id,
        "xsecToken": TOKEN,
        "title": "手冲咖啡入门",
        "desc": f"水温 92 度。\u200b{quoted}#咖啡[话题]# #手冲[话题]# " + "很长" * 100,
        "type": "normal",
        "time": 1702195200000,
        "lastUpdateTime": 1702195300000,
        "ipLocation": "上海",
        "user": user(7),
        "interactInfo": {
            "liked": False,
            "likedCount": "1.7万",
            "collectedCount": "10万+",
            "commentCount": "0" if note_id == NO_COMMENTS_NOTE else str(COMMENT_TOTAL),
            "shareCount": "9",
        },
        "tagList": [{"id": "t1", "name": "咖啡", "type": "topic"}],
        "imageList": [{"width": 3, "height": 4, "urlDefault": "https://picture.invalid/1.jpg", "urlPre": ""}],
    }


def comments(note_id: str, start: int, count: int) -> list[Json]:
    """Comments `start`..`start+count` of a note, fewer at the end."""
    return [
        {
            "id": f"comment-{index}",
            "noteId": note_id,
            "content": f"评论{index}",
            "likeCount": str(index),
            "createTime": 1702195200000 + index * 1000,
            "ipLocation": "北京",
            "userInfo": user(index),
            "subCommentCount": "1",
            "subComments": [{"id": f"reply-{index}", "content": f"回复{index}", "likeCount": "", "userInfo": user(9)}],
            "showTags": [],
        }
        for index in range(start, min(start + count, COMMENT_TOTAL))
    ]
