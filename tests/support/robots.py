"""Takes alerts as the robots of Feishu, WeCom and DingTalk, Bark and a webhook do, and checks them as these do.

Standard library only: it runs in the tests' process and, as a program, in a container (`python3 robots.py PORT`).

- `POST /feishu/open-apis/bot/v2/hook/<key>`, `/wecom/cgi-bin/webhook/send?key=…`, `/dingtalk/robot/send?access_token=…`,
  `/bark/<key>`, `/json`: as the makers' documents say; a wrong signature or form is answered with 200 and a code
- `POST /refuse/<kind>/<number>`: refuses the next messages of a kind
- `GET /seen`: the messages that were taken, as [{"kind", "content"}], and how many were refused by kind
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FEISHU_KEY, FEISHU_SECRET = "feishu-key-0001", "feishu-secret"
WECOM_KEY = "wecom-key-0001"
DINGTALK_TOKEN, DINGTALK_SECRET = "dingtalk-token-0001", "SECdingtalk"
BARK_KEY = "bark-key-0001"
JSON_TOKEN = "json-token-0001"
_MINUTES_60 = 3600
Answer = tuple[int, dict[str, Any]]


def urls(base: str) -> dict[str, str]:
    """Return the address of each kind."""
    return {
        "feishu": f"{base}/feishu/open-apis/bot/v2/hook/{FEISHU_KEY}",
        "wecom": f"{base}/wecom/cgi-bin/webhook/send?key={WECOM_KEY}",
        "dingtalk": f"{base}/dingtalk/robot/send?access_token={DINGTALK_TOKEN}",
        "bark": f"{base}/bark/{BARK_KEY}",
        "json": f"{base}/json",
    }


SECRETS = {"feishu": FEISHU_SECRET, "dingtalk": DINGTALK_SECRET, "json": JSON_TOKEN}


def _signed(key: str, text: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def _feishu(path: str, query: dict[str, str], headers: Any, content: dict[str, Any]) -> Answer:
    if not path.endswith(f"/{FEISHU_KEY}"):
        return 400, {"code": 19001, "msg": "param invalid: incoming webhook access token invalid", "data": {}}
    timestamp = content.get("timestamp", "")
    # The key is the timestamp and the secret, the text is empty.
    good = timestamp.isdigit() and hmac.compare_digest(
        _signed(f"{timestamp}\n{FEISHU_SECRET}", ""), content.get("sign", "")
    )
    if not good or abs(time.time() - int(timestamp)) > _MINUTES_60:
        return 200, {"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}
    card = content["card"]
    if content["msg_type"] != "interactive" or card["header"]["title"]["tag"] != "plain_text" or not card["elements"]:
        return 200, {"code": 9499, "msg": "Bad Request", "data": {}}
    return 200, {"StatusCode": 0, "StatusMessage": "success", "code": 0, "data": {}, "msg": "success"}


def _wecom(path: str, query: dict[str, str], headers: Any, content: dict[str, Any]) -> Answer:
    if query.get("key") != WECOM_KEY:
        return 200, {"errcode": 93000, "errmsg": "invalid webhook url"}
    text = content["markdown"]["content"]
    if content["msgtype"] != "markdown" or not 0 < len(text.encode()) <= 4096:
        return 200, {"errcode": 40058, "errmsg": "markdown.content exceed max length 4096"}
    return 200, {"errcode": 0, "errmsg": "ok"}


def _dingtalk(path: str, query: dict[str, str], headers: Any, content: dict[str, Any]) -> Answer:
    if query.get("access_token") != DINGTALK_TOKEN:
        return 200, {"errcode": 300001, "errmsg": "token is not exist"}
    timestamp = query.get("timestamp", "")
    good = timestamp.isdigit() and hmac.compare_digest(
        _signed(DINGTALK_SECRET, f"{timestamp}\n{DINGTALK_SECRET}"), query.get("sign", "")
    )
    if not good or abs(time.time() * 1000 - int(timestamp)) > _MINUTES_60 * 1000:
        return 200, {"errcode": 310000, "errmsg": "sign not match"}
    if content["msgtype"] != "markdown" or not content["markdown"]["title"] or not content["markdown"]["text"]:
        return 200, {"errcode": 40035, "errmsg": "缺少参数 json"}
    return 200, {"errcode": 0, "errmsg": "ok"}


def _bark(path: str, query: dict[str, str], headers: Any, content: dict[str, Any]) -> Answer:
    if path != f"/bark/{BARK_KEY}":
        return 400, {"code": 400, "message": "failed to get device token", "timestamp": int(time.time())}
    if not content["title"] or not content["body"] or content["level"] not in ("active", "timeSensitive", "passive"):
        return 400, {"code": 400, "message": "request bind failed", "timestamp": int(time.time())}
    return 200, {"code": 200, "message": "success", "timestamp": int(time.time())}


def _json(path: str, query: dict[str, str], headers: Any, content: dict[str, Any]) -> Answer:
    if headers["Authorization"] != f"Bearer {JSON_TOKEN}":
        return 401, {"error": "no good token"}
    return 202, {"accepted": content["title"]}


KINDS = {"feishu": _feishu, "wecom": _wecom, "dingtalk": _dingtalk, "bark": _bark, "json": _json}
#: How each kind refuses a message for a reason of its own, such as too many messages.
REFUSALS: dict[str, Answer] = {
    "feishu": (200, {"code": 11232, "msg": "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]"}),
    "wecom": (200, {"errcode": 45009, "errmsg": "api freq out of limit"}),
    "dingtalk": (200, {"errcode": 130101, "errmsg": "send too fast, exceed 20 times per minute"}),
    "bark": (500, {"code": 500, "message": "push failed: TooManyRequests"}),
    "json": (503, {"error": "try later"}),
}


class Robots(ThreadingHTTPServer):
    """An HTTP server of all kinds; `taken` and `refused` have what came."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), _Handler)
        self.lock = threading.Lock()
        self.taken: list[dict[str, Any]] = []
        self.refused: dict[str, int] = {}
        self.refusing: dict[str, int] = {}

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, kind: str, path: str, query: dict[str, str], headers: Any, content: dict[str, Any]) -> Answer:
        with self.lock:
            if self.refusing.get(kind, 0) > 0:
                self.refusing[kind] -= 1
                self.refused[kind] = self.refused.get(kind, 0) + 1
                return REFUSALS[kind]
            status, body = KINDS[kind](path, query, headers, content)
            good = body.get("errcode", body.get("code", 0)) in (0, 200) and 200 <= status < 300
            if good:
                self.taken.append({"kind": kind, "content": content})
            else:
                self.refused[kind] = self.refused.get(kind, 0) + 1
            return status, body


class _Handler(BaseHTTPRequestHandler):
    server: Robots

    def do_GET(self) -> None:
        with self.server.lock:
            self._send(200, {"taken": self.server.taken, "refused": self.server.refused})

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        first, *others = parts.path.strip("/").split("/")
        if first == "refuse":
            self.server.refusing[others[0]] = int(others[1])
            return self._send(200, {})
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Content-Type"].split(";")[0] != "application/json":
            return self._send(400, {"errcode": 43004, "code": 43004})
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self._send(*self.server.answer(first, parts.path, query, self.headers, content))

    def _send(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


if __name__ == "__main__":
    Robots("127.0.0.1", int(sys.argv[1])).serve_forever()
