"""Uses a server as qwen-agent's agents do: `qwen_agent_client.py ADDRESS TOOL ARGUMENTS` prints what it got as JSON."""

import json
import os
import sys

from qwen_agent.tools.mcp_manager import MCPManager

address, name, arguments = sys.argv[1:]
manager = MCPManager()
headers = {"Authorization": os.environ["MCP_AUTHORIZATION"]} if "MCP_AUTHORIZATION" in os.environ else {}
tools = manager.initConfig({"mcpServers": {"kit": {"type": "streamable-http", "url": address, "headers": headers}}})
answer = next(tool for tool in tools if tool.name == f"kit-{name}").call(arguments)
print(json.dumps({"tools": [tool.name for tool in tools], "answer": json.loads(answer)}))
manager.shutdown()
