"""Tests that the examples of lists and of figures in the kit's README work as they are printed."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from dyber_kit.analysis.figures import Counted
from dyber_kit.reading.memory import Memory
from dyber_kit.upstream.cache import Cache

from tests.stand_in.running import SERVERS

POSTS = [{"id": number, "title": f"<b>第 {number} 篇</b>", "digg_count": "10万+"} for number in range(5)]


def example(heading: str, folder: Path) -> ModuleType:
    """Return the example of a section of the README as an imported module."""
    text = (SERVERS / "kit" / "README.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    file = folder / "readme_reading_example.py"
    file.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def open_page(user: str, count: int) -> object:
    """Return the page of a user with the first posts."""
    return {"list": POSTS[:count], "has_more": count < len(POSTS)}


async def test_the_example_of_a_list_returns_it_part_by_part(tmp_path):
    reader = example("平台的列表", tmp_path).UserPosts(open_page, Memory(Cache("demo", "1"), "plain", 600, 24_000))
    first = await reader.read("main", "u1", 3)
    second = await reader.read("main", "u1", 3, first.next_cursor)
    assert first.items[0].model_dump() == {
        "post_id": "0", "title": "第 0 篇", "likes": 100_000, "lower_bounds": ["likes"],
    }  # fmt: skip
    assert [post.post_id for post in second.items] == ["3", "4"] and second.complete
    assert (await reader.read("main", "u1", 3)).source == "cache"


async def test_the_example_of_a_list_says_when_the_platform_loads_nothing(tmp_path):
    async def nothing(user: str, count: int) -> object:
        return {"has_more": True}

    reader = example("平台的列表", tmp_path).UserPosts(nothing, Memory(Cache("demo", "1"), "plain", 600, 24_000))
    answer = (await reader.read("main", "u1", 3)).model_dump()
    assert (answer["items"], answer["complete"], len(answer["warnings"])) == ([], False, 1)


def test_the_example_of_figures_computes_them(tmp_path):
    figures = example("样本的统计", tmp_path)
    assert figures.likes.model_dump() == {"n": 2, "median": 20.0, "p90": 30, "max": 30}
    assert figures.saves_per_like == 0.3
    assert (figures.when.by_hour, figures.when.by_weekday) == ({"8": 2, "21": 1}, {"周一": 2, "周二": 1})
    assert figures.tags == [Counted(name="咖啡", count=2), Counted(name="手冲", count=1)]
    assert figures.likes_by_tag == {"咖啡": 10, "手冲": None}
    assert figures.words == [Counted(name="水温", count=2)]
    assert [(word.word, word.df) for word in figures.weighted] == [("水温", 2)]
