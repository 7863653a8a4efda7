"""Uses a server with the MCP SDK 1.x: `sdk_1.py TRANSPORT ADDRESS TOOL ARGUMENTS` prints what it got as JSON."""

import asyncio
import json
import os
import sys

from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamablehttp_client

HEADERS = {"Authorization": os.environ["MCP_AUTHORIZATION"]} if "MCP_AUTHORIZATION" in os.environ else {}
CONNECTIONS = {"http": streamablehttp_client, "sse": sse_client}


async def main(transport: str, address: str, tool: str, arguments: str) -> None:
    async with CONNECTIONS[transport](address, headers=HEADERS) as (read, write, *_):
        async with ClientSession(read, write) as session:
            server = (await session.initialize()).serverInfo.name
            tools = [listed.name for listed in (await session.list_tools()).tools]
            answer = await session.call_tool(tool, json.loads(arguments))
    print(json.dumps({"server": server, "tools": tools, "answer": answer.structuredContent}))


asyncio.run(main(*sys.argv[1:]))
