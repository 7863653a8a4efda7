"""Makes the objects that the stand-in for xiaohongshu serves."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

# The last two hex digits of a note id select the behaviour of its page.
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
REFUSED_NOTE = ID_PREFIX + "0b"  # its page answers HTTP 461
QUOTING_NOTE = ID_PREFIX + "0c"
OLD_STATE_NOTE = ID_PREFIX + "0d"  # its page holds another note's state first
GUARDED_NOTE = ID_PREFIX + "0e"  # its comment call answers HTTP 471
SHY_NOTE = ID_PREFIX + "0f"  # no comments can be written
STRICT_NOTE = ID_PREFIX + "10"  # the site refuses every write and click
LIKED_NOTE = ID_PREFIX + "11"  # already liked and collected
FORBIDDEN_NOTE = ID_PREFIX + "12"  # its data call answers -104
STRANGE_NOTE = ID_PREFIX + "13"  # its data call answers an unknown code
ENGLISH_NOTE = ID_PREFIX + "14"  # shows the site's English page once, then the note
AWAY_NOTE = ID_PREFIX + "15"  # shows the site's English page always
LOST_NOTE = ID_PREFIX + "16"  # a write or a click is carried out, but the answer is a gateway's 504
SILENT_NOTE = ID_PREFIX + "17"  # a write or a click is carried out, but never answered

USER = "5f" + f"{7:022x}"
CLOSED_USER = "5f" + "c" * 22
EMPTY_USER = "5f" + "e" * 22
FORBIDDEN_USER = "5f" + "d" * 22  # the list of notes answers -104
HOME_TOTAL = 30
USER_NOTES = 25
FAVORITES = 12  # of members; those of other users are not public
USERS_TOTAL = 13

COMMENT_TOTAL = 25
REPLY_TOTAL = 8  # of the second comment; every other comment has one reply
REPLY_PAGE = 5
COMMENT_PAGE = 10
SEARCH_TOTAL = 45
SEARCH_PAGE = 20
# ends with "=" and contains "+" and "/", which are damaged in a URL without escaping
TOKEN = "ABtoken_x-y+z/9="
#: The site's messages by the codes of its refusals.
REFUSALS: dict[int, str] = {
    -104: "您当前登录的账号没有权限访问",
    -9999: "系统<b>开小差</b>\u200b了，" + "请稍后再来" * 40,
    300012: "网络连接异常",
}
USER_TOKEN = "USER-TOKEN-NOT-FOR-NOTES="


def user(index: int) -> Json:
    """Return a user object; search cards spell the name `nickName`."""
    return {
        "userId": f"5f{index:022x}",
        "nickName": f"用户{index}",
        "nickname": f"用户{index}",
        "avatar": "https://picture.invalid/a.jpg",
        "xsecToken": USER_TOKEN,
    }


def feed_item(index: int, keyword: str, chosen: list[str] | None = None) -> Json:
    """Return a search result; the first results have rounded counts, and titles contain the `chosen` filters."""
    liked = {0: "1.7万", 1: "10万+", 2: "赞"}.get(index, str(80 + index))
    marks = "".join(f"〔{label}〕" for label in chosen or [])
    video = "视频" in (chosen or []) or ("图文" not in (chosen or []) and index % 3 == 1)
    return {
        "id": f"66fad51c0000000000000f{index:02x}" if index else NORMAL_NOTE,
        "xsecToken": TOKEN,
        "modelType": "note",
        "index": index,
        "noteCard": {
            "type": "video" if video else "normal",
            "displayTitle": f"{keyword}笔记{index}{marks}\u200b",
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
    """Return a search result that is not a note."""
    return {"id": f"query-{index}", "modelType": "rec_query", "index": index, "recQuery": {"title": "猜你想搜"}}


def home_item(index: int) -> Json:
    """Return an item of the home feed, which has no count but the likes."""
    item = feed_item(index + 100, "推荐")
    item["noteCard"]["interactInfo"] = {"liked": False, "likedCount": str(index)}
    return item


def live_item() -> Json:
    """Return a live room in a feed."""
    return {"id": "live-1", "modelType": "live_v2", "liveCard": {"title": "直播"}}


def user_page(user_id: str) -> Json:
    """Return the `userPageData` of a profile page."""
    number = int(user_id[2:], 16) % 100
    return {
        "basicInfo": {
            "nickname": f"用户{number}",
            "desc": "每天一杯\u200b手冲",
            "redId": "123456789",
            "gender": 1,
            "ipLocation": "上海",
            "images": "https://picture.invalid/a.jpg",
            "imageb": "https://picture.invalid/b.jpg",
        },
        "interactions": [
            {"type": "follows", "name": "关注", "count": "100"},
            {"type": "fans", "name": "粉丝", "count": "1.2万"},
            {"type": "interaction", "name": "获赞与收藏", "count": "10万+"},
        ],
        "tags": [{"name": "咖啡博主", "tagType": "profession"}, {"icon": "x", "tagType": "info"}],
    }


def user_notes(user_id: str, start: int, count: int) -> list[Json]:
    """Return the notes `start`..`start+count` of a profile page."""
    number = int(user_id[2:], 16) % 100
    items = [feed_item(index, f"用户{number}的") for index in range(start, min(start + count, USER_NOTES))]
    for item in items:
        item["noteCard"] |= {"user": user(number), "noteId": item["id"], "xsecToken": item["xsecToken"]}
        item["noteCard"]["interactInfo"] = {
            "liked": False,
            "likedCount": item["noteCard"]["interactInfo"]["likedCount"],
        }
    return items


def favorites(start: int, count: int) -> list[Json]:
    """Return the notes `start`..`start+count` that a member collected or liked, each by another user."""
    return [feed_item(index, "收藏的") for index in range(start, min(start + count, FAVORITES))]


def search_users(keyword: str, start: int, count: int) -> list[Json]:
    """Return the users `start`..`start+count` of a search for users, as the page's state holds them."""
    return [
        {
            "id": f"5f{index:022x}",
            "xsecToken": USER_TOKEN,
            "name": f"{keyword}用户{index}",
            "redId": str(100_000 + index),
            "subTitle": f"小红书号：{100_000 + index}",
            "profession": "咖啡师" if index == 0 else "",
            "fans": "10万+" if index == 0 else "1.2万",
            "noteCount": 40 + index,
            "redOfficialVerified": index == 0,
            "image": "https://picture.invalid/a.jpg",
        }
        for index in range(start, min(start + count, USERS_TOTAL))
    ]


def note(note_id: str) -> Json:
    """Return the note object of a note page."""
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
            "liked": note_id == LIKED_NOTE,
            "likedCount": "1.7万",
            "collected": note_id == LIKED_NOTE,
            "collectedCount": "10万+",
            "commentCount": "0" if note_id == NO_COMMENTS_NOTE else str(COMMENT_TOTAL),
            "shareCount": "9",
        },
        "tagList": [{"id": "t1", "name": "咖啡", "type": "topic"}],
        "imageList": [{"width": 3, "height": 4, "urlDefault": "https://picture.invalid/1.jpg", "urlPre": ""}],
    }


def comments(note_id: str, start: int, count: int) -> list[Json]:
    """Return the comments `start`..`start+count` of a note, fewer at the end."""
    return [
        {
            "id": f"comment-{index}",
            "noteId": note_id,
            "content": f"评论{index}",
            "likeCount": str(index),
            "createTime": 1702195200000 + index * 1000,
            "ipLocation": "北京",
            "userInfo": user(index),
            "subCommentCount": str(REPLY_TOTAL if index == 1 else 1),
            "subComments": replies(index, 0, 1),
            "subCommentHasMore": index == 1,
            "subCommentCursor": "1",
            "showTags": [],
        }
        for index in range(start, min(start + count, COMMENT_TOTAL))
    ]


def replies(comment: int, start: int, count: int) -> list[Json]:
    """Return the replies `start`..`start+count` of a comment, fewer at the end."""
    total = REPLY_TOTAL if comment == 1 else 1
    return [
        {
            "id": f"reply-{comment}" + (f"-{index}" if index else ""),
            "content": f"回复{comment}" + (f"之{index}" if index else ""),
            "likeCount": "",
            "createTime": 1702195300000,
            "userInfo": user(9),
        }
        for index in range(start, min(start + count, total))
    ]
