"""Whatever a configuration holds, reading it raises nothing unforeseen, and no text shows a secret."""

from __future__ import annotations

import json
import logging
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cli.services.importing import source_words
from cli.services.importing.clients import dialects, files
from cli.services.importing.clients.entries import Imported, Importer
from cli.services.importing.registry import files as registry_files
from cli.services.importing.requests import RefusedError, SourceRequest
from cli.services.importing.values import Values

SECRET = "zq7-Sup3rS3cretValue-9x"

words = st.sampled_from(
    ["npx", "uvx", "docker", "run", "-y", "-e", "-v", "--from", "x", "@s/x@1", "sh", "-c", "cmd", "/c", "mcp-remote",
     "--header", "https://m.example.com/mcp", "${input:x}", "${env:Y}", "$Z", "python", "-m", "a;b", "", " ", "--", "-",
     "node", "npm", "exec", "uv", "tool", "supergateway", "--stdio", "--sse", "=", "-=", "'", '"', "\\", "%PATH%", "\x00",
     "/data/x", "C:\\x", "～", "github:o/r", "http://[", "https://[::1", "a:b@c"]
)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
FIELDS = [
    *("command", "args", "env", "type", "url", "serverUrl", "httpUrl", "baseUrl", "headers", "timeout", "disabled"),
    *("envFile", "cwd", "includeTools", "excludeTools", "transport", "env_vars", "http_headers", "env_http_headers"),
    *("bearer_token_env_var", "requestInit", "oauth", "title", "description", "autoApprove", "isActive"),
]
entry_fields = st.dictionaries(st.sampled_from(FIELDS), json_values | st.lists(words, max_size=6), max_size=8)
#: Places in an entry where a secret may be, around the text of the secret.
PLACES: dict[str, dict[str, Any]] = {
    "variable": {"command": "npx", "args": ["x"], "env": {"WEATHER_API_KEY": SECRET}},
    "variable of a list": {"command": "npx", "args": ["x"], "env": [f"TOKEN={SECRET}"]},
    "header": {"url": "https://m.example.com/mcp", "headers": {"Authorization": f"Bearer {SECRET}"}},
    "header of another name": {"url": "https://m.example.com/mcp", "headers": {"X-Api-Key": SECRET}},
    "parameter": {"url": f"https://m.example.com/mcp?key={SECRET}"},
    "user of an address": {"url": f"https://me:{SECRET}@m.example.com/mcp"},
    "option of docker": {"command": "docker", "args": ["run", "-i", "-e", f"TOKEN={SECRET}", "i"]},
    "unknown option of docker": {"command": "docker", "args": ["run", f"--secret={SECRET}", "i"]},
    "argument": {"command": "npx", "args": ["x", "--token", SECRET]},
    "argument with a name": {"command": "npx", "args": ["x", f"--token={SECRET}"]},
    "address of a database": {"command": "uvx", "args": ["x", f"mysql://u:{SECRET}@db/x"]},
    "header of mcp-remote": {"command": "npx", "args": ["mcp-remote", "https://m.example.com/mcp", "--header", f"Cookie:{SECRET}"]},
    "bearer of supergateway": {"command": "npx", "args": ["supergateway", "--sse", "https://m.example.com", "--oauth2Bearer", SECRET]},
    "option of npx": {"command": "npx", "args": [f"--token={SECRET}", "x"]},
    "registry of npx": {"command": "npx", "args": [f"--registry=https://u:{SECRET}@r.example.com", "x"]},
    "shell": {"command": "sh", "args": ["-c", f"API_KEY={SECRET} npx x"]},
    "refused shell": {"command": "sh", "args": ["-c", f"export API_KEY={SECRET}; npx x"]},
    "line": {"command": f"npx x --api-key {SECRET}"},
    "package": {"command": "npx", "args": [f"https://u:{SECRET}@example.com/x.tgz"]},
    "git address": {"command": "uvx", "args": ["--from", f"git+https://{SECRET}@example.com/o/r", "x"]},
    "unknown key": {"command": "npx", "args": ["x"], "credentials": SECRET},
    "variable that cannot be given": {"command": "npx", "args": ["x"], "env": {"NODE_OPTIONS": SECRET}},
}  # fmt: skip


def shown(result: Imported) -> str:
    request = result.request
    texts = [str(result), repr(result), str(result.refusal), *(remark.text() for remark in request.remarks)]
    kept = {key: getattr(request, key) for key in vars(request) if key not in ("secrets", "remarks")}
    return json.dumps([texts, repr(kept), repr(request.secrets)])


def test_no_text_shows_a_secret_of_any_place() -> None:
    for place, fields in PLACES.items():
        [entry] = dialects.entries({"mcpServers": {"weather": fields}})
        assert SECRET not in shown(Importer().convert(entry)), place


def test_a_secret_value_is_kept_only_as_a_secret() -> None:
    for place in ("variable", "header", "parameter", "option of docker", "header of mcp-remote", "shell"):
        [entry] = dialects.entries({"mcpServers": {"weather": PLACES[place]}})
        values = [item.value for item in Importer().convert(entry).request.secrets.values()]
        assert [value.get_secret_value() for value in values if value] == [SECRET], place


@settings(max_examples=200, deadline=None)
@given(fields=entry_fields, inputs=json_values)
def test_no_entry_makes_the_conversion_fail_unforeseen(fields: dict[str, Any], inputs: Any) -> None:
    logging.disable(logging.NOTSET)
    for entry in dialects.entries({"mcpServers": {"weather": fields}, "inputs": inputs}):
        result = Importer(environment={"Y": "y"}).convert(entry)
        assert result.refusal or result.request.package or result.request.questions


@settings(max_examples=150, deadline=None)
@given(arguments=st.lists(words | st.text(max_size=6), max_size=7), secret=st.sampled_from(["API_KEY", "X_TOKEN"]))
def test_no_command_line_shows_the_value_of_a_secret_variable(arguments: list[str], secret: str) -> None:
    fields = {"command": "npx", "args": arguments, "env": {secret: SECRET}}
    [entry] = dialects.entries({"mcpServers": {"weather": fields}})
    result = Importer().convert(entry)
    assert SECRET not in shown(result)


@settings(max_examples=120, deadline=None)
@given(content=st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_file_makes_the_reader_fail_unforeseen(content: bytes) -> None:
    try:
        found = dialects.entries(files.parse(content))
    except RefusedError:
        return
    for entry in found:
        Importer().convert(entry)


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(max_size=30)
    | st.builds("{}:{}".format, st.sampled_from(["npm", "pypi", "go", "oci", "url"]), st.text(max_size=20))
)
def test_no_source_makes_its_reader_fail_unforeseen(text: str) -> None:
    values = Values(SourceRequest())
    try:
        source_words.read(text, values)
    except RefusedError:
        return
    assert values.request.package


@settings(max_examples=200, deadline=None)
@given(
    argument=st.dictionaries(
        st.sampled_from(
            ["type", "name", "value", "default", "valueHint", "isRepeated", "format", "choices", "isSecret"]
        ),
        json_values,
        max_size=5,
    ),
    other=json_values,
)
def test_no_description_of_the_registry_makes_its_reader_fail_unforeseen(argument: dict[str, Any], other: Any) -> None:
    package = {"registryType": "npm", "identifier": "x", "version": "1.0.0", "packageArguments": [argument]}
    for content in ({"name": "a/b", "packages": [package]}, {"name": "a/b", "packages": other}, other):
        try:
            registry_files.convert(content, Importer())
        except RefusedError:
            continue
