"""Tests that a refused call names the mistake that was made with the token, but never its value."""

from __future__ import annotations

import json

import pytest

from tests.gateway.support.gateway_under_test import TOKEN, GatewayUnderTest

WRONG = "5e" * 32

PROBLEMS = [
    ({}, "no_header"),
    ({"Authorization": ""}, "no_header"),
    ({"X-API-Key": TOKEN}, "other_header"),
    ({"X-Auth-Token": TOKEN}, "other_header"),
    ({"Authorization": "Bearer"}, "empty_token"),
    ({"Authorization": 'Bearer ""'}, "empty_token"),
    ({"Authorization": "Bearer ${DYBER_TOKEN}"}, "placeholder"),
    ({"Authorization": "Bearer $DYBER_TOKEN"}, "placeholder"),
    ({"Authorization": "Bearer $(./deploy.sh token show)"}, "placeholder"),
    ({"Authorization": "Bearer ${env:DYBER_TOKEN}"}, "placeholder"),
    ({"Authorization": "Bearer {env:DYBER_TOKEN}"}, "placeholder"),
    ({"Authorization": "Bearer {{token}}"}, "placeholder"),
    ({"Authorization": "Bearer <TOKEN>"}, "placeholder"),
    ({"Authorization": "<TOKEN>"}, "placeholder"),
    ({"Authorization": "Bearer %DYBER_TOKEN%"}, "placeholder"),
    ({"Authorization": "Bearer YOUR_API_KEY"}, "placeholder"),
    ({"Authorization": TOKEN}, "no_scheme"),
    ({"Authorization": f"Basic {TOKEN}"}, "other_scheme"),
    ({"Authorization": f"Token {TOKEN}"}, "other_scheme"),
    ({"Authorization": f"Bearer Bearer {WRONG}"}, "doubled_scheme"),
    ({"Authorization": f'Bearer "{WRONG}"'}, "quoted_token"),
    ({"Authorization": f"'Bearer {WRONG}'"}, "quoted_token"),
    ({"Authorization": f"Bearer {TOKEN} {TOKEN}"}, "malformed_token"),
    ({"Authorization": f"Bearer {TOKEN}\\n"}, "malformed_token"),
    ({"Authorization": f"Bearer: {TOKEN}"}, "malformed_token"),
    ({"Authorization": "Bearer " + "a" * 600}, "malformed_token"),
    ({"Authorization": f"Bearer {WRONG}"}, "unknown_token"),
    ({"Authorization": f"bearer   {WRONG}"}, "unknown_token"),
]


@pytest.mark.parametrize(("headers", "reason"), PROBLEMS)
def test_a_401_says_what_is_wrong_with_the_token(
    gateway: GatewayUnderTest, headers: dict[str, str], reason: str
) -> None:
    answer = gateway.request("/api/alpha/mcp", method="POST", token=None, headers=headers)
    body = answer.json()
    assert (answer.status, body["code"], body["reason"]) == (401, "unauthorized", reason)
    assert answer.headers.get_all("WWW-Authenticate") == ['Bearer realm="dyberpet", charset="UTF-8"']
    assert not any(token in answer.body.decode() for token in (TOKEN, WRONG, "YOUR_API_KEY"))
    assert "Bearer" in body["error"] or "./deploy.sh" in body["error"]


def test_each_mistake_has_a_different_text(gateway: GatewayUnderTest) -> None:
    texts = {}
    for headers, reason in PROBLEMS:
        body = gateway.request("/metrics", token=None, headers=headers).json()
        texts.setdefault(reason, set()).add((body["error"], body["error_en"]))
    assert all(len(variants) == 1 for variants in texts.values())
    assert len(set.union(*texts.values())) == len(texts) == 10


@pytest.mark.parametrize("query", ["token", "access_token", "api_key", "apikey", "key"])
def test_a_token_in_the_address_is_refused_and_stays_out_of_the_log(gateway: GatewayUnderTest, query: str) -> None:
    address = f"/api/alpha/mcp?x=1&{query}={TOKEN}"
    answer = gateway.request(address, token=None, headers={"X-Request-Id": f"in-the-address-{query}"})
    assert (answer.status, answer.json()["reason"]) == (401, "query_token")
    assert gateway.logged(f"in-the-address-{query}")["path"] == "/api/alpha/mcp"
    entries, errors = gateway.logs()
    assert TOKEN not in json.dumps(entries) + errors


@pytest.mark.parametrize(
    "value",
    [f"bearer {TOKEN}", f"Bearer Bearer {TOKEN}", f'Bearer "{TOKEN}"', f"'Bearer {TOKEN}'", f"Bearer\t{TOKEN}"],
)
def test_a_value_with_a_clear_meaning_is_accepted(gateway: GatewayUnderTest, value: str) -> None:
    answer = gateway.request("/api/alpha/ready", token=None, headers={"Authorization": value})
    assert answer.status == 200
