"""Tests of what the tools read from the site, in a real Chromium on the stand-in."""

from __future__ import annotations

from tests.stand_in import weibo_data as data


async def test_a_guest_reads_a_post_with_its_whole_text_and_its_comments(ask, state):
    post = await ask("get_post", post=f"https://weibo.com/{data.UID}/{data.BIDS[data.LONG]}", comments=5)
    assert (post["post"], post["author"], post["text"], post["text_truncated"]) == (
        data.LONG, data.NAME, data.LONG_TEXT, False,
    )  # fmt: skip
    assert (post["likes"], post["reposts"], post["comments_total"]) == (340, 12, 45)
    assert post["created_at"] == "2026-11-29T10:00:21+08:00"
    assert post["picture_urls"] == ["https://wx4.sinaimg.cn/orj960/p2.jpg", "https://wx4.sinaimg.cn/orj960/p1.jpg"]
    assert (post["region"], post["tags"], post["edited"], post["verified"]) == ("北京", ["人工智能"], True, "数码博主")
    assert [comment["text"] for comment in post["comments"]] == [f"评论 {number} [doge]" for number in range(5)]
    assert post["comments"][0]["replies"][0]["by_author"]
    assert (post["source"], post["warnings"], post["comments_complete"]) == ("browser", [], False)


async def test_login_status_tells_a_guest_how_to_log_in(ask):
    status = await ask("login_status")
    assert (status["logged_in"], status["risk"]) == (False, "ok")
    assert "weibo_login_qrcode" in status["next_step"]
    assert (status["official_api"], status["official_left_today"]) == (True, 1000)


async def test_a_member_searches_posts_page_by_page(ask, state):
    state.member = True
    first = await ask("search_posts", keyword="手机", limit=12, verbose=True)
    assert (first["count"], first["complete"], first["applied"]) == (12, False, {"sort": "general"})
    item = first["items"][0]
    assert (item["author"], item["text"], item["truncated"]) == ("作者0", "#手机# 结果 0 电池很好[doge]", True)
    assert (item["likes"], item["comments"], item["lower_bounds"]) == (1_000_000, 17_000, ["likes"])
    assert (item["tags"], item["region"], item["device"], item["pictures"]) == (["手机"], "广东", "iPhone", 1)
    rest = await ask("search_posts", keyword="手机", limit=20, verbose=True, cursor=first["next_cursor"])
    assert (rest["count"], rest["complete"]) == (13, True)
    found = [item["post"] for item in [*first["items"], *rest["items"]]]
    assert found == [str(5320000000000000 + number) for number in range(25)]
