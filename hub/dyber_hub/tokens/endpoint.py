"""Answers the gateway's questions about tokens, at an address that only the gateway may use."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dyber_hub.tokens.configuration import read_issuers
from dyber_hub.tokens.outcomes import RefusedToken, Unavailable
from dyber_hub.tokens.verifier import LONGEST_TOKEN, Verifier

PATH = "/internal/tokens"
#: The environment variable with the file that has the identity providers; without it there are no logins.
FILE_SETTING = "DYBER_OAUTH_FILE"
#: Shorter than the gateway waits.
MOST_SECONDS = 6.0
_MOST_BYTES = LONGEST_TOKEN + 1024
_log = logging.getLogger(__name__)


class TokenEndpoint:
    """Serves the verifier at `/internal/tokens`, and passes every other request on to the hub's application.

    `POST {"token": "…"}` with the SHA-256 of the hub's token as bearer token, because the gateway knows only that. The
    answer's `status` is `accepted` with the fields of AcceptedToken, `refused` with a `reason`, or `unavailable`.
    """

    def __init__(self, application: ASGIApp, verifier: Verifier, hub_token: str) -> None:
        self._application = application
        self._verifier = verifier
        self._expected = f"bearer {hashlib.sha256(hub_token.encode()).hexdigest()}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http" and scope["path"] == PATH:
            response = await self._answer(Request(scope, receive))
            await response(scope, receive, send)
            return
        await self._application(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            return JSONResponse({"detail": "POST only"}, 405, headers={"Allow": "POST"})
        presented = request.headers.get("authorization", "").lower().encode()
        if not hmac.compare_digest(presented, self._expected):
            return JSONResponse({"detail": "for the gateway only"}, 403)
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BYTES:
                return JSONResponse({"detail": "too large"}, 413)
        try:
            token = json.loads(body)["token"]
            if not isinstance(token, str):
                raise TypeError
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"detail": "not as expected"}, 400)
        try:
            async with asyncio.timeout(MOST_SECONDS):
                accepted = await self._verifier.verify(token)
            return JSONResponse({"status": "accepted", **asdict(accepted)})
        except RefusedToken as error:
            _log.info("A token was refused: %s", error.reason)
            return JSONResponse({"status": "refused", "reason": error.reason})
        except (Unavailable, TimeoutError) as error:
            _log.warning("A token could not be verified: %s", error)
            return JSONResponse({"status": "unavailable"})


def configured_verifier(environment: Mapping[str, str] = os.environ) -> Verifier | None:
    """Return the verifier of the configured identity providers; None if no logins are configured.

    Raises:
        ValueError: The configuration cannot be used; the message names the file.
    """
    file = environment.get(FILE_SETTING)
    return Verifier(read_issuers(Path(file), environment)) if file else None
