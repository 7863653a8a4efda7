"""Tests of pictures that are fetched from the web to be published: which are taken, and how long they are kept."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from dyber_kit import ErrorCode, ServiceError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from xiaohongshu_server.writing.pictures import Pictures

from tests.stand_in.platforms.xiaohongshu.calls import Caller, logged_in
from tests.stand_in.running import StandIn, free_port, running

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
FILES = {
    "a.png": PNG,
    "b": b"\xff\xd8\xffjpeg",
    "c": b"RIFF\0\0\0\0WEBPdata",
    "page": b"<html>",
    "large": PNG * 2_000_000,
}


async def serve(request: Request) -> Response:
    """Serve a file, a redirect to another host, or 404."""
    request.app.state.requests.append(request.url.path)
    name = request.path_params["name"]
    if name == "away":
        return RedirectResponse("http://elsewhere.invalid/a.png")
    return Response(FILES[name]) if name in FILES else Response("gone", 404)


@pytest.fixture
def web(monkeypatch) -> Iterator[StandIn]:
    """Return a running web server with pictures, whose address counts as public."""
    monkeypatch.setattr("dyber_kit.upstream.http.is_public", lambda _: True)
    app = Starlette(routes=[Route("/{name}", serve)])
    app.state.requests = []
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        yield StandIn(base, app)


async def test_each_address_becomes_a_file_of_the_format_of_its_picture(web, tmp_path):
    names = await Pictures(tmp_path).names([f"{web.base}/a.png", "own.jpg", f"{web.base}/b", f"{web.base}/c"])
    assert names[1] == "own.jpg"
    assert [Path(name).suffix for name in names] == [".png", ".jpg", ".jpg", ".webp"]
    assert (tmp_path / names[0]).read_bytes() == PNG


async def test_a_picture_is_fetched_once_for_the_dry_run_and_the_write(web, tmp_path):
    pictures = Pictures(tmp_path)
    first = await pictures.names([f"{web.base}/a.png"])
    assert await pictures.names([f"{web.base}/a.png"]) == first
    assert web.app.state.requests == ["/a.png"]


async def test_a_picture_that_would_be_removed_too_soon_is_fetched_again_in_its_new_format(web, tmp_path, monkeypatch):
    pictures = Pictures(tmp_path)
    (first,) = await pictures.names([f"{web.base}/a.png"])
    os.utime(tmp_path / first, (time.time() - 3500,) * 2)
    assert await pictures.names([f"{web.base}/a.png"]) == [first]
    monkeypatch.setitem(FILES, "a.png", FILES["b"])
    (second,) = await pictures.names([f"{web.base}/a.png"], needed_for=300)
    assert [file.name for file in tmp_path.iterdir()] == [second] != [first]


async def test_pictures_of_earlier_writes_are_removed_and_other_files_kept(web, tmp_path):
    old, other = tmp_path / "web-old.png", tmp_path / "own.png"
    for file in (old, other):
        file.write_bytes(PNG)
        os.utime(file, (time.time() - 7200,) * 2)
    await Pictures(tmp_path).names([f"{web.base}/a.png"])
    assert (old.exists(), other.exists()) == (False, True)


async def test_the_error_names_every_picture_that_cannot_be_used(web, tmp_path):
    entries = [f"{web.base}/{name}" for name in ("a.png", "page", "missing?key=SECRET", "away", "large")]
    with pytest.raises(ServiceError) as refusal:
        await Pictures(tmp_path).names(entries)
    message = refusal.value.message
    for part in ("第 2 张", "不是 JPEG", "第 3 张", "HTTP 404", "第 4 张", "elsewhere.invalid", "第 5 张", "超过"):
        assert part in message
    assert "第 1 张" not in message
    assert "SECRET" not in refusal.value.text


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.png", "http://[::1]/a.png", "http://localhost/a.png", "http://169.254.169.254/a.png",
        "http://2130706433/a.png", "http:///a.png",
    ],
)  # fmt: skip
async def test_addresses_in_private_networks_are_refused(url, tmp_path):
    with pytest.raises(ServiceError) as refusal:
        await Pictures(tmp_path).names([url])
    assert refusal.value.code is ErrorCode.INVALID_ARGUMENT
    assert "访问" in refusal.value.message


async def test_a_picture_of_the_web_is_published(xiaohongshu, xiaohongshu_data, site, stand_in, web):
    stand_in.app.state.writes.clear()
    client = Caller(xiaohongshu)
    arguments = {"images": f"{web.base}/a.png", "title": "网上的图", "content": "正文"}
    with logged_in(xiaohongshu_data, site):
        planned = await client("xhs_publish_image", **arguments)
        assert f"{web.base}/a.png" in planned["summary"]
        await client("xhs_publish_image", **arguments, dry_run=False, confirmation=planned["confirmation"])
    (write,) = stand_in.app.state.writes
    assert [file["size"] for file in write["files"]] == [len(PNG)]


async def test_a_dry_run_fetches_a_picture_again_that_would_be_removed_before_the_confirmation(
    xiaohongshu, xiaohongshu_data, site, stand_in, web
):
    client = Caller(xiaohongshu)
    arguments = {"images": f"{web.base}/a.png", "title": "网上的图", "content": "正文"}
    with logged_in(xiaohongshu_data, site):
        await client("xhs_publish_image", **arguments)
        for file in (xiaohongshu_data / "uploads").glob("web-*"):
            os.utime(file, (time.time() - 3500,) * 2)
        await client("xhs_publish_image", **arguments)
    assert web.app.state.requests == ["/a.png", "/a.png"]


async def test_nothing_is_fetched_for_a_guest(xiaohongshu, web):
    arguments = {"images": f"{web.base}/a.png", "title": "标题", "content": "正文"}
    text = await Caller(xiaohongshu).refusal("xhs_publish_image", **arguments)
    assert text.startswith("LOGIN_REQUIRED：")
    assert web.app.state.requests == []
