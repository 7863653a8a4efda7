"""Makes the data of the stand-in for Weibo, in the shapes of the site, of the mobile site and of the official API."""

from __future__ import annotations

from typing import Any

#: Pairs of number and short id of three posts, as the site shows them.
LONG, VIDEO, REPOST = "5312356647437845", "4858157115641330", "5319196504230218"
BIDS = {LONG: "R5bs4vcVf", VIDEO: "MooVNnFzc", REPOST: "R83o6hKtk"}
UID, NAME, CUSTOM = "1795308214", "测试博主", "testblog"
OTHER_UID = "2028810631"
LONG_TEXT = "这是一条很长的微博。" * 60 + "#人工智能# 完。"
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
COMMENTS_TOTAL, COMMENTS_PER_PAGE = 45, 20
POSTS_TOTAL, POSTS_PER_PAGE = 25, 10


#: By case, cards of the mobile site in place of search results.
CARDS_WITHOUT_POSTS: dict[str, list[dict[str, Any]]] = {
    "renamed_cards": [{"card_type": 9, "status": {"id": "5320000000000000"}}, {"card_type": 11, "card_group": [{}]}],
    "empty_card": [{"card_type": 11, "card_group": [{"card_type": 58, "desc": "没有找到相关结果"}]}],
}


def short_id(mid: str) -> str:
    """Return the short id of a post, by the rule that each seven digits are four letters."""
    if mid in BIDS:
        return BIDS[mid]
    groups = []
    for end in range(len(mid), 0, -7):
        number, letters = int(mid[max(0, end - 7) : end]), ""
        while number:
            letters, number = _LETTERS[number % 62] + letters, number // 62
        groups.append(letters if end <= 7 else letters.zfill(4))
    return "".join(reversed(groups))


def user(uid: str = UID, name: str = NAME, **more: Any) -> dict[str, Any]:
    """Return a user as posts and comments have it."""
    return {
        "id": int(uid), "idstr": uid, "screen_name": name, "profile_image_url": "https://tvax1.sinaimg.cn/a.jpg",
        "avatar_hd": "https://tvax1.sinaimg.cn/b.jpg", "verified": True, "verified_type": 0,
        "verified_reason": "数码博主", **more,
    }  # fmt: skip


def profile(**more: Any) -> dict[str, Any]:
    """Return a user as the call for profiles has it."""
    about = {
        "description": "写点东西 <b>真的</b>", "location": "北京 海淀区", "gender": "m", "followers_count": 26712000,
        "followers_count_str": "2671.2万", "friends_count": 321, "statuses_count": 5246,
    }  # fmt: skip
    return user(**{**about, **more})


def post(mid: str, text: str = "", **more: Any) -> dict[str, Any]:
    """Return a post as the site has it."""
    return {
        "id": int(mid), "idstr": mid, "mid": mid, "mblogid": short_id(mid), "user": user(),
        "created_at": "Sun Nov 29 10:00:21 +0800 2026", "text": f"{text}<br />", "text_raw": text or f"第 {mid} 条",
        "isLongText": False, "source": "微博网页版", "region_name": "发布于 北京", "reposts_count": 12,
        "comments_count": COMMENTS_TOTAL, "attitudes_count": 340, "pic_ids": [], "pic_num": 0,
        "number_display_strategy": {"display_text": "100万+", "display_text_min_number": 1000000}, **more,
    }  # fmt: skip


def posts() -> dict[str, dict[str, Any]]:
    """Return the posts that can be read one by one, by number."""
    pictures = {
        "p1": {"large": {"url": "https://wx4.sinaimg.cn/orj960/p1.jpg", "width": 960, "height": 2099}},
        "p2": {"large": {"url": "https://wx4.sinaimg.cn/orj960/p2.jpg"}},
    }
    long = post(
        LONG, LONG_TEXT[:140] + "\u200b\u200b\u200b", isLongText=True, pic_ids=["p2", "p1"], pic_infos=pictures,
        pic_num=2, topic_struct=[{"topic_title": "人工智能"}], edit_count=1,
    )  # fmt: skip
    video = post(
        VIDEO, "看视频 http://t.cn/A6abcdef [doge] 👩‍👩‍👧",
        page_info={"type": 11, "object_type": "video", "content2": "测试视频", "page_pic": "https://x.sinaimg.cn/c.jpg",
                   "short_url": "http://t.cn/A6abcdef", "media_info": {"duration": 2107, "stream_url": "http://v"}},
    )  # fmt: skip
    repost = post(REPOST, "转发微博", retweeted_status={**post(VIDEO, "看视频"), "user": user(OTHER_UID, "原作者")})
    return {LONG: long, VIDEO: video, REPOST: repost}


def comment(number: int, **more: Any) -> dict[str, Any]:
    """Return a comment as the site has it."""
    comment_id = str(5312400000000000 + number)
    return {
        "id": int(comment_id), "idstr": comment_id, "rootid": int(comment_id), "mid": comment_id,
        "created_at": "Sun Nov 29 11:00:00 +0800 2026", "floor_number": number,
        "text": f"评论 {number} <img alt='[doge]' src='https://face.t.sinajs.cn/doge.png' />",
        "text_raw": f"评论 {number} [doge]", "source": "来自上海", "like_counts": 100 - number, "total_number": 0,
        "user": user(str(3000000000 + number), f"网友{number}"), "comments": [], **more,
    }  # fmt: skip


def comments(start: int, count: int) -> list[dict[str, Any]]:
    """Return comments; the first has two replies, of which one is by the author of the post."""
    listed = [comment(number) for number in range(start, start + count)]
    if start == 0:
        listed[0] |= {"total_number": 2, "comments": [comment(900, user=user()), comment(901)]}
    return listed


def user_posts(page: int) -> list[dict[str, Any]]:
    """Return a page of the posts of the user."""
    numbers = range((page - 1) * POSTS_PER_PAGE, min(page * POSTS_PER_PAGE, POSTS_TOTAL))
    return [
        post(
            str(5310000000000000 + number), f"#数码# 第 {number} 条：新手机的屏幕和电池", attitudes_count=number * 10,
            created_at=f"Sat Nov 28 {number % 24:02}:15:00 +0800 2026", isTop=1 if number == 0 else 0,
        )
        for number in numbers
    ]  # fmt: skip


def mobile_post(number: int) -> dict[str, Any]:
    """Return a post as the mobile site has it: HTML, numbers as text, relative times."""
    mid = str(5320000000000000 + number)
    return {
        "id": mid, "mid": mid, "bid": short_id(mid), "created_at": "5分钟前" if number == 0 else "11-28",
        "text": f'<a href="/search">#手机#</a> 结果 {number} 电池很好<span class="url-icon">'
        f'<img alt="[doge]" src="x"></span>...<a href="/status/{mid}">全文</a>',
        "isLongText": True, "source": "<a>iPhone</a>", "region_name": "发布于 广东",
        "user": {"id": 4000000000 + number % 3, "screen_name": f"作者{number % 3}", "followers_count": "2671.2万",
                 "verified": False},
        "reposts_count": 3, "comments_count": "1.7万", "attitudes_count": "100万+",
        "pics": [{"pid": "a", "url": "https://wx1.sinaimg.cn/orj360/a.jpg",
                  "large": {"size": "large", "url": "https://wx1.sinaimg.cn/large/a.jpg", "geo": {"width": 1}}}],
    }  # fmt: skip


def search_cards(page: int, total: int = 25) -> list[dict[str, Any]]:
    """Return a page of search results: groups with posts, single posts, and cards that are no posts."""
    numbers = range((page - 1) * 10, min(page * 10, total))
    single = [{"card_type": 9, "mblog": mobile_post(number)} for number in numbers]
    if page == 1:
        group = {"card_type": 11, "card_group": [{"card_type": 4, "desc": "相关搜索"}, *single[:2]]}
        return [{"card_type": 17, "group": []}, group, *single[2:]]
    return single


def hot_words(count: int) -> list[dict[str, Any]]:
    """Return a hot list as the official API has it."""
    return [
        {
            "cat": "main", "id": rank, "word": f"热搜{rank}", "num": 1_000_000 - rank, "flag": rank % 3,
            "app_query_link": f"sinaweibo://searchall?q=热搜{rank}",
            "h5_query_link": f"https://m.weibo.cn/search?q=热搜{rank}", "flag_link": "",
        }
        for rank in range(1, count + 1)
    ]  # fmt: skip


def page_hot_words() -> list[dict[str, Any]]:
    """Return a hot list as the site has it, with an advertisement among its topics."""
    listed = [
        {"word": f"话题{rank}", "word_scheme": f"#话题{rank}#", "note": f"话题{rank}", "num": 900_000 - rank,
         "raw_hot": 900_000 - rank, "label_name": "热" if rank == 1 else "", "mid": "1"}
        for rank in range(1, 52)
    ]  # fmt: skip
    return [listed[0], {"word": "广告", "word_scheme": "#广告#", "num": 5, "is_ad": 1, "label_name": "商"}, *listed[1:]]
