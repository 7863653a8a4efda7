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
models = [kind for module in (older, newer) for kind in vars(module).values() if hasattr(kind, "model_fields")]
report = {
    "modules": sorted(sys.modules),
    "built": [kind.__name__ for kind in models if kind.__pydantic_complete__ and kind.model_fields],
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
    "package", ["fastapi", "fastapi_offline", "httpcore2", "opentelemetry.sdk", "pydantic.v1", "redis", "tenacity"]
)
def test_a_start_does_not_import_what_only_some_services_or_requests_need(started, package):
    assert package not in started["modules"]


def test_a_start_does_not_build_the_models_of_single_protocol_versions(started):
    assert started["built"] == []


def test_the_garbage_collector_runs_once_the_imports_are_done(started):
    assert started["collects"]
