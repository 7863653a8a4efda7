"""Runs a real identity provider (npm oidc-provider) on this machine, and logs a user in as a browser does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx2

from tests.stand_in.running import free_port
from tests.support.node_programs import NodePrograms

MODULE = Path(__file__).with_name("identity_provider.mjs")
_ACTION = re.compile(r'<form[^>]* action="([^"]+)"')
_PROMPT = re.compile(r'name="prompt" value="([a-z]+)"')
_MOST_STEPS = 12


@contextmanager
def real_identity_provider(programs: NodePrograms) -> Iterator[str]:
    """Run the identity provider; yields its address, which is also its issuer."""
    port = free_port()
    with (
        MODULE.open() as source,
        subprocess.Popen(
            [programs.node, "--input-type=module", "-", str(port)],
            cwd=programs.folder,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            assert first == "listening\n", process.communicate(timeout=10)[1]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


async def log_in(address: str, user: str, callback: str) -> str:
    """Follow an authorization request as the browser of `user`, who consents; return the address of the callback."""
    async with httpx2.AsyncClient(trust_env=False) as browser:
        response = await browser.get(address)
        for _ in range(_MOST_STEPS):
            if response.is_redirect:
                target = urljoin(str(response.url), response.headers["location"])
                if target.startswith(callback):
                    return target
                response = await browser.get(target)
                continue
            action, prompt = _ACTION.search(response.text), _PROMPT.search(response.text)
            assert response.status_code == 200, response.text
            assert action and prompt, response.text
            form = {"prompt": prompt[1], "login": user, "password": "any"}
            response = await browser.post(urljoin(str(response.url), action[1]), data=form)
    raise AssertionError("the identity provider did not return to the client")
