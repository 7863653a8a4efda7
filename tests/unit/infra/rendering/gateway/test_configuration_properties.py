"""For any names and texts, the rendered configuration has the right meaning, or the names are refused."""

from __future__ import annotations

import hashlib
import json
import re

from hypothesis import given, settings
from hypothesis import strategies as some

from infra.rendering.gateway.configuration import json_body, quote, render
from infra.rendering.gateway.model import GatewayClient, GatewayService
from infra.services import reserved_names
from infra.settings.gateway import GatewaySettings

SERVICE_NAMES = some.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
TOKENS = some.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=32, max_size=64)
TITLES = some.text(max_size=60)


def read_as_nginx(literal: str) -> str:
    """Return the value of a single-quoted argument without variables, by the rules of Nginx's tokenizer."""
    assert literal[0] == literal[-1] == "'"
    assert "$" not in literal
    assert not re.search(r"(?<!\\)(\\\\)*'", literal[1:-1])
    escapes = {"t": "\t", "r": "\r", "n": "\n", "'": "'", '"': '"', "\\": "\\"}
    return re.sub(r"\\([\\'\"trn])", lambda match: escapes[match.group(1)], literal[1:-1])


@given(some.dictionaries(some.text(max_size=20), some.text(max_size=60), max_size=5))
def test_any_text_survives_nginx_in_a_json_body(fields: dict[str, str]) -> None:
    assert json.loads(read_as_nginx(json_body(fields))) == fields


@given(some.text(max_size=40))
def test_a_quoted_value_is_one_argument_or_refused(value: str) -> None:
    try:
        quoted = quote(value)
    except ValueError:
        return
    assert quoted == f'"{value}"'
    assert not re.search(r"[\s\"'$;{}\\]", value)


@given(some.text(max_size=50))
def test_any_service_name_is_a_plain_word_or_refused(name: str) -> None:
    try:
        GatewayService(name, 8001, "", 60)
    except ValueError:
        return
    assert re.fullmatch(r"[a-z][a-z0-9-]*", name)


@given(some.text(max_size=60))
def test_any_host_name_can_be_quoted_or_is_refused(name: str) -> None:
    try:
        GatewaySettings(server_names=(name,))
    except ValueError:
        return
    assert quote(name) == f'"{name}"'


@settings(max_examples=40, deadline=None)
@given(
    some.lists(SERVICE_NAMES, unique=True, max_size=6),
    TITLES,
    some.lists(TOKENS, unique=True, max_size=4),
    some.data(),
)
def test_tokens_and_titles_leave_no_trace_in_the_nginx_files(
    names: list[str], title: str, tokens: list[str], data: some.DataObject
) -> None:
    services = [
        GatewayService(name, 9000 + number, title, 60)
        for number, name in enumerate(names)
        if reserved_names.problem(name) is None
    ]
    clients = [
        GatewayClient(f"client-{number}", (hashlib.sha256(token.encode()).hexdigest(),))
        for number, token in enumerate(tokens)
    ]
    files = render(GatewaySettings(), services, clients)
    shuffled = render(GatewaySettings(), data.draw(some.permutations(services)), data.draw(some.permutations(clients)))
    assert files == shuffled
    assert not any(token in text for token in tokens for text in files.values())
    plain = [GatewayService(service.name, service.port, "", 60) for service in services]
    without_titles = render(GatewaySettings(), plain, clients)
    assert {path for path in files if files[path] != without_titles[path]} <= {"njs/catalog.json"}
    content = json.loads(files["njs/catalog.json"])
    assert content["information"]["titles"] == {service.name: title for service in services}
