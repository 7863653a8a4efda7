"""Tests of what a service imports and builds at its start, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.stand_in.running import python_path

BUILD = """
import gc, json, sys
from template_server.service import build_app
app = build_app()
import mcp_types._v2025_11_25 as older
import mcp_types._v2026_07_28 as newer
import mcp_types._types as common
models = [kind for module in (older, newer, common) for kind in vars(module).values() if hasattr(kind, "model_fields")]
built = [kind for kind in models if kind.__pydantic_complete__ and kind.model_fields]
report = {
    "modules": sorted(sys.modules),
    "built_of_versions": [kind.__name__ for kind in built if kind.__module__ != common.__name__],
    "built": [kind.__name__ for kind in built],
    "collects": gc.isenabled(),
}
print(json.dumps(report))
"""


@pytest.fixture(scope="module")
def started() -> dict:
    """Build the app of the template service in a new process; return what is there afterwards."""
    child = subprocess.run(
        [sys.executable, "-c", BUILD],
        env={**os.environ, "PYTHONPATH": python_path(), "LOG_LEVEL": "error"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(child.stdout)


@pytest.mark.parametrize(
    "package",
    [
        "cryptography.hazmat",
        "fastapi",
        "fastapi_offline",
        "httpcore2",
        "jsonschema",
        "mcp.client",
        "opentelemetry.sdk",
        "pydantic.v1",
        "redis",
        "tenacity",
    ],
)
def test_a_start_does_not_import_what_only_some_services_or_requests_need(started, package):
    assert package not in started["modules"]


def test_a_start_does_not_build_the_models_of_single_protocol_versions(started):
    assert started["built_of_versions"] == []


def test_a_start_does_not_build_the_sdks_models_that_no_service_uses(started):
    assert "SamplingMessage" not in started["built"]
    assert "ElicitRequest" not in started["built"]


def test_the_rest_of_the_sdk_is_there_when_it_is_used():
    used = """
import dyber_kit, sys
from mcp.server.request_state import AESGCMRequestStateCodec, InvalidRequestState
codec = AESGCMRequestStateCodec([bytes(32)])
assert codec.unseal(codec.seal(b"state")) == b"state"
try:
    codec.unseal(codec.seal(b"state")[:-2] + "AA")
except InvalidRequestState:
    pass
else:
    raise AssertionError("a changed state is taken")
from cryptography.hazmat.primitives.hashes import SHA256
assert SHA256.name == "sha256"
assert "httpx2._client" not in sys.modules
import httpx2
assert httpx2.AsyncClient.__name__ == "AsyncClient"
import mcp
from mcp import Client
assert mcp.Client is Client and not hasattr(mcp, "nothing")
from pydantic import BaseModel, TypeAdapter
class Model(BaseModel):
    number: int
assert Model.__pydantic_complete__ and TypeAdapter(list[int]).validate_python(["1"]) == [1]
"""
    environment = {**os.environ, "PYTHONPATH": python_path()}
    child = subprocess.run([sys.executable, "-c", used], env=environment, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr


def test_the_garbage_collector_runs_once_the_imports_are_done(started):
    assert started["collects"]
