"""Tests how many bytes a page of search results has for a client that reads structures, and for any other."""

from __future__ import annotations

import json

import httpx2

SEARCH = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "xhs_search_notes", "arguments": {"keyword": "咖啡", "limit": 10}},
}


async def test_a_page_of_results_has_about_half_the_bytes_with_a_short_text(xiaohongshu):
    sizes = {}
    async with httpx2.AsyncClient(timeout=60) as http:
        for text in ("whole", "short"):
            answer = await http.post(f"{xiaohongshu}/mcp", json=SEARCH, headers={"X-Dyber-Text": text})
            assert len(json.loads(answer.text)["result"]["structuredContent"]["items"]) == 10
            sizes[text] = len(answer.content)
    assert sizes["short"] < 0.55 * sizes["whole"]
