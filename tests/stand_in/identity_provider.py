"""Stands in for an identity provider: its metadata, its keys, and an introspection endpoint on 127.0.0.1."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

INTROSPECTION_USER, INTROSPECTION_PASSWORD = "gateway", "password of the gateway: 100%"
KIDS = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}


def make_key(kind: str) -> PrivateKeyTypes:
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1()) if kind.startswith("ec") else ed25519.Ed25519PrivateKey.generate()


def public_jwk(key_id: str, key: PrivateKeyTypes, **fields: str) -> dict[str, Any]:
    algorithm = jwt.get_algorithm_by_name({"r": "RS256", "e": "ES256"}[key_id[0]] if key_id[:2] != "ed" else "EdDSA")
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": key_id, "use": "sig", **fields}


class IdentityProvider:
    """An identity provider whose answers a test may change.

    `requests` are the paths that were asked for; `failing`: every request is answered with 500; `known` are the tokens
    that introspection knows, with its answers.
    """

    def __init__(self) -> None:
        self.keys = {kind: make_key(kind) for kind in KIDS}
        self.requests: list[str] = []
        self.failing = False
        self.known: dict[str, dict[str, Any]] = {}
        self.padding = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/realms/pet"
        self.metadata: dict[str, Any] = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}

    def __enter__(self) -> IdentityProvider:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return good claims with changes; a claim that is None is left out."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "sub": "alice",
            "aud": "https://pet.example/mcp",
            "scope": "openid mcp",
            "iat": now,
            "exp": now + 600,
        }
        return {key: value for key, value in {**good, **changes}.items() if value is not None}

    def token(self, kind: str = "rsa", headers: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """Return a token that is signed with the key `kind`."""
        names = {"kid": kind, "typ": "at+jwt", **(headers or {})}
        return jwt.encode(self.claims(**changes), self.keys[kind], KIDS[kind[:3].rstrip("2")], names)

    def asked_for_keys(self) -> int:
        return self.requests.count("/realms/pet/keys")

    def _answer(self, path: str, form: Mapping[str, list[str]], authorization: str) -> Any:
        if path == "/realms/pet/keys":
            return {"keys": [public_jwk(kid, key) for kid, key in self.keys.items()], "padding": self.padding}
        if path == "/realms/pet/.well-known/openid-configuration":
            return self.metadata
        password = quote(INTROSPECTION_PASSWORD, safe="")
        expected = base64.b64encode(f"{INTROSPECTION_USER}:{password}".encode()).decode()
        if path == "/realms/pet/introspect" and authorization == f"Basic {expected}":
            return self.known.get(form["token"][0], {"active": False})
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.requests.append(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                form = parse_qs(self.rfile.read(length).decode())
                answer = provider._answer(self.path, form, self.headers.get("Authorization") or "")
                body = json.dumps(answer).encode()
                self.send_response(500 if provider.failing else 404 if answer is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        return Handler
