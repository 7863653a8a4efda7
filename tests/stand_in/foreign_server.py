"""A small MCP server over stdio that makes the faults that real servers make; it needs the standard library only.

Each message that it receives is appended to the file JOURNAL. What it lists can be changed with FOREIGN_TOOLS, a JSON
file with further or other tools by name. With FOREIGN_OFFERS it offers prompts, resources and suggestions too; the
value is a JSON file with other entries of its lists, by list and position. FOREIGN_EXIT ends it at the start with that
exit code.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODERN = "2026-07-28"
_writing = threading.Lock()
_answers: dict[Any, dict[str, Any]] = {}
_answered = threading.Condition()
_counts = {"calls": 0}
_family: list[subprocess.Popen[bytes]] = []

OBJECT: dict[str, Any] = {"type": "object"}
READ = {"annotations": {"readOnlyHint": True}}


def text_argument(name: str = "text", kind: str = "string") -> dict[str, Any]:
    return {"inputSchema": {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}}


TOOLS: dict[str, dict[str, Any]] = {
    "echo": {"description": "Send a text back", **READ, **text_argument()},
    "wait": {"description": "Wait for a file", **READ, **text_argument("file")},
    "write": {"description": "Wait for a file, then write", **text_argument("file")},
    "steps": {"description": "Report progress", **READ, **text_argument("mark", "integer")},
    "crash": {"description": "End the server", **READ, "inputSchema": OBJECT},
    "orphan": {"description": "End the server, but not what it started", **READ, "inputSchema": OBJECT},
    "family": {"description": "Start processes that need memory", **READ, "inputSchema": OBJECT},
    "deaf": {"description": "Stop reading", **READ, "inputSchema": OBJECT},
    "pieces": {"description": "Answer in pieces", **READ, **text_argument()},
    "large": {"description": "Answer with many bytes", **READ, **text_argument("bytes", "integer")},
    "rows": {"description": "Answer with many values", **READ, **text_argument("rows", "integer")},
    "noise": {"description": "Print what is no message", **READ, "inputSchema": OBJECT},
    "secret": {"description": "Tell the secret", **READ, "inputSchema": OBJECT},
    "ask": {"description": "Ask the client for everything", **READ, "inputSchema": OBJECT},
    "count": {"description": "Count the calls of this process", **READ, "inputSchema": OBJECT},
    "odd": {"description": "Answer in an odd form", **READ, **text_argument("form")},
    "shaped": {
        "description": "Answer with a structure",
        **READ,
        **text_argument("value"),
        "outputSchema": {"type": "object", "properties": {"length": {"type": "integer"}}, "required": ["length"]},
    },
    "relist": {"description": "Say that the list has changed", **READ, "inputSchema": OBJECT},
    "question": {"description": "Ask the user for a name", **READ, "inputSchema": OBJECT},
    "environment": {"description": "Show the names of the variables", **READ, "inputSchema": OBJECT},
}
OFFERS: dict[str, list[dict[str, Any]]] = {
    "prompts": [
        {
            "name": "plan-trip",
            "description": "Plan a trip",
            "arguments": [{"name": "city", "required": True}, {"name": "days", "description": "How many"}],
        },
        {"name": "crash"},
    ],
    "resources": [
        {"uri": "memo://today", "name": "today", "description": "What is planned", "mimeType": "text/markdown"},
        {"uri": "memo://picture", "name": "picture", "mimeType": "image/png"},
        {"uri": "memo://all", "name": "all"},
        {"uri": "memo://secret", "name": "secret"},
        {"uri": "memo://long", "name": "long"},
    ],
    "resourceTemplates": [{"uriTemplate": "memo://days/{day}", "name": "day", "description": "The plan of a day"}],
}
ODD: dict[str, dict[str, Any]] = {
    "null error": {"content": [{"type": "text", "text": "fine"}], "isError": None},
    "text": {"content": "just a text"},
    "nothing": {},
    "unknown part": {"content": [{"type": "hologram", "depth": 3}]},
    "snake case": {"content": [{"type": "image", "data": "AAAA", "mime_type": "image/png"}], "is_error": False},
    "list": {"content": [], "structuredContent": [1, 2]},
}


def send(message: dict[str, Any]) -> None:
    line = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode() + b"\n"
    with _writing:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


def request(method: str) -> dict[str, Any]:
    """Send a request to the client and return its answer."""
    request_id = f"from-server-{method}"
    send({"id": request_id, "method": method, "params": {}})
    with _answered:
        _answered.wait_for(lambda: request_id in _answers)
        return _answers[request_id]


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": value}], **more}


def call(request_id: Any, params: dict[str, Any]) -> dict[str, Any] | None:
    """Return the result of a call; None when the answer was written otherwise."""
    name, given = params["name"], params.get("arguments") or {}
    if name in ("wait", "write"):
        while not Path(given["file"]).exists():
            time.sleep(0.01)
        return text("done")
    if name == "steps":
        token = params.get("_meta", {}).get("progressToken")
        for step in range(3 if token is not None else 0):
            progress = {"progressToken": token, "progress": step + 1, "total": 3, "message": str(given["mark"])}
            send({"method": "notifications/progress", "params": progress})
        return text(str(given["mark"]))
    if name == "count":
        _counts["calls"] += 1
        return text(f"{_counts['calls']} {os.getpid()}")
    if name == "relist":
        send({"method": "notifications/tools/list_changed"})
        return text("told")
    if name == "ask":
        asked = ("sampling/createMessage", "elicitation/create", "roots/list", "ping")
        return text(json.dumps({method: request(method).get("error", {}).get("code") for method in asked}))
    if name == "secret":
        sys.stderr.write(f"connecting with {os.environ['TOKEN']}\n")
        sys.stderr.flush()
        return text(f"401 for {os.environ['TOKEN']}", isError=True)
    if name == "odd":
        return ODD[given["form"]]
    if name == "shaped":
        return text("shaped", structuredContent={"length": json.loads(given["value"])})
    if name == "question":
        return question(params)
    if name == "environment":
        return text(" ".join(sorted(os.environ)))
    if name == "echo":
        return text(given["text"])
    return fault(name, request_id, given)


def question(params: dict[str, Any]) -> dict[str, Any]:
    answers = params.get("inputResponses")
    if answers:
        return text(f"hello {answers['name']['content']['name']}, state {params.get('requestState')}")
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    asked = {"method": "elicitation/create", "params": {"message": "Who?", "requestedSchema": schema, "mode": "form"}}
    return {"resultType": "input_required", "inputRequests": {"name": asked}, "requestState": "état 1"}


def fault(name: str, request_id: Any, given: dict[str, Any]) -> dict[str, Any] | None:
    if name == "crash":
        sys.stderr.write("about to end\n")
        sys.stderr.flush()
        os._exit(3)
    if name == "orphan":
        subprocess.Popen(["sleep", "600"])
        os._exit(4)
    if name == "family":
        return family()
    if name == "deaf":
        threading.Event().wait()
    if name == "pieces":
        answer = {"jsonrpc": "2.0", "id": request_id, "result": text(given["text"])}
        line = json.dumps(answer, ensure_ascii=False).encode() + b"\n"
        for start in range(0, len(line), 3):
            os.write(1, line[start : start + 3])
            time.sleep(0.001)
        return None
    if name == "large":
        return text("字" * (given["bytes"] // 3))
    if name == "rows":
        return {
            "content": [],
            "structuredContent": {"rows": [{"id": row, "of": "rows"} for row in range(given["rows"])]},
        }
    if name == "noise":
        os.write(1, "欢迎使用\n".encode())
        os.write(1, "中文横幅\n".encode("gbk"))
        os.write(1, b'{"jsonrpc": "2.0", "id": \n')
        os.write(1, b'{"level": "info", "text": "no message"}\n\n[1]\n')
        send({"id": 99_999, "result": {}})
        return text("after the noise")
    raise ValueError(name)


def family() -> dict[str, Any]:
    """Start a process, another in a session of its own, and one whose parent ends; each holds 30 MiB."""
    hold = "import sys; held = b'x' * (30 * 2**20); print(flush=True); sys.stdin.read()"
    leave = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]])"
    held = subprocess.PIPE
    for command, is_session in ((["-c", hold], False), (["-c", hold], True), (["-c", leave, hold], False)):
        started = subprocess.Popen([sys.executable, *command], stdin=held, stdout=held, start_new_session=is_session)
        assert started.stdout
        started.stdout.readline()
        _family.append(started)
    return text("started")


def listed() -> list[dict[str, Any]]:
    changes = os.environ.get("FOREIGN_TOOLS")
    changed = json.loads(Path(changes).read_text(encoding="utf-8")) if changes else {}
    tools = {**TOOLS, **changed}
    return [{"name": name, **tool} for name, tool in tools.items() if tool is not None]


def capabilities() -> dict[str, Any]:
    names = ["tools", *(["prompts", "resources", "completions"] if "FOREIGN_OFFERS" in os.environ else [])]
    return {name: {} for name in names}


def offered(kind: str) -> list[dict[str, Any]]:
    changes = json.loads(Path(os.environ["FOREIGN_OFFERS"]).read_text(encoding="utf-8"))
    return [changes.get(kind, {}).get(str(place), offer) for place, offer in enumerate(OFFERS[kind])]


def prompt(params: dict[str, Any]) -> dict[str, Any]:
    if params["name"] == "crash":
        os._exit(3)
    given = params.get("arguments") or {}
    words = f"{given['city']}, {given.get('days', '?')} days"
    picture = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
    return {
        "description": "from the server",
        "messages": [
            {"role": "user", "content": {"type": "text", "text": words}},
            {"role": "assistant", "content": [{"type": "text", "text": "Gladly."}, picture]},
        ],
    }


def resource(uri: str) -> dict[str, Any]:
    if uri == "memo://picture":
        return {"contents": [{"uri": uri, "mimeType": "image/png", "blob": "AAAA"}]}
    if uri == "memo://all":
        return {"contents": [{"uri": f"memo://days/{day}", "text": day} for day in ("1", "2")]}
    content = {"memo://secret": os.environ.get("TOKEN", ""), "memo://long": "长" * 100_000}.get(uri, f"plan of {uri}")
    return {"contents": [{"uri": uri, "text": content}]}


def suggestions(params: dict[str, Any]) -> dict[str, Any]:
    typed, filled = params["argument"]["value"], (params.get("context") or {}).get("arguments")
    return {"completion": {"values": [f"{typed}{place}" for place in range(120)] if not filled else [str(filled)]}}


OFFERING: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "prompts/list": lambda params: {"prompts": offered("prompts")},
    "prompts/get": prompt,
    "resources/list": lambda params: {"resources": offered("resources")},
    "resources/templates/list": lambda params: {"resourceTemplates": offered("resourceTemplates")},
    "resources/read": lambda params: resource(params["uri"]),
    "completion/complete": suggestions,
}


def answer(message: dict[str, Any]) -> None:
    method, request_id, params = message["method"], message.get("id"), message.get("params") or {}
    if method == "initialize":
        about = {"protocolVersion": params["protocolVersion"], "capabilities": capabilities()}
        send({"id": request_id, "result": {**about, "serverInfo": {"name": "foreign", "version": "1"}}})
    elif method == "server/discover" and os.environ.get("FOREIGN_ERA") == "modern":
        known = {"supportedVersions": [MODERN], "capabilities": capabilities(), "instructions": "Use it well."}
        send({"id": request_id, "result": {"resultType": "complete", **known}})
    elif method == "tools/list":
        send({"id": request_id, "result": {"tools": listed()}})
    elif method == "ping":
        send({"id": request_id, "result": {}})
    elif method == "tools/call":
        result = call(request_id, params)
        if result is not None:
            send({"id": request_id, "result": result})
    elif "FOREIGN_OFFERS" in os.environ and method in OFFERING:
        send({"id": request_id, "result": OFFERING[method](params)})
    elif request_id is not None:
        send({"id": request_id, "error": {"code": -32601, "message": "Method not found"}})


def main() -> None:
    if "FOREIGN_EXIT" in os.environ:
        sys.stderr.write("the licence has expired\n")
        sys.exit(int(os.environ["FOREIGN_EXIT"]))
    journal = os.environ.get("JOURNAL")
    for line in sys.stdin:
        message = json.loads(line)
        if journal:
            with Path(journal).open("a", encoding="utf-8") as file:
                file.write(line)
        if "method" not in message:
            with _answered:
                _answers[message["id"]] = message
                _answered.notify_all()
        elif message["method"] == "tools/call" and message["params"]["name"] == "deaf":
            answer(message)
        else:
            threading.Thread(target=answer, args=(message,), daemon=True).start()


if __name__ == "__main__":
    main()
