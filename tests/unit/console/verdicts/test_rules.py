"""Decides what is to be done, in which order, and says nothing is well on old data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from dyber_console.intake.live import ServiceStatus
from dyber_console.intake.otlp_export import ExportState
from dyber_console.language import using_language
from dyber_console.records.failures import Failure
from dyber_console.records.model import Call
from dyber_console.verdicts.facts import Account, End, Facts, ServiceFacts
from dyber_console.verdicts.rules import Grade, Todo, is_lost, service_grade, todos

NOW = 1_795_873_267.0
UP = ServiceStatus("up", ready=1, total=1)
WELL = ServiceFacts("zhihu", "知乎", UP)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with using_language("en"):
        yield


def facts(*services: ServiceFacts, **changes: object) -> Facts:
    return replace(Facts(NOW, "prod", services, status_age=1.0), **changes)  # type: ignore[arg-type]


def failure(outcome: str, count: int = 1, ago: float = 60.0) -> Failure:
    call = Call(NOW - ago, "r", "t", "phone", "zhihu", "zhihu_search", outcome, 0.3)
    return Failure(call, count, NOW - ago - 300, False)


def only(found: list[Todo]) -> Todo:
    assert len(found) == 1, found
    return found[0]


def test_a_service_that_answers_is_well() -> None:
    assert todos(facts(WELL)) == []
    assert service_grade(facts(WELL), WELL, []) == (Grade.OK, "well")


def test_nothing_is_well_on_old_data() -> None:
    old = facts(WELL, status_age=42.0)
    assert service_grade(old, WELL, todos(old))[0] is Grade.OFF


def test_a_silent_gateway_is_the_only_thing_to_do() -> None:
    down = replace(WELL, status=ServiceStatus("down", ready=0, total=1))
    silent = facts(down, lost_since=NOW - 11, status_age=12.0)
    assert is_lost(silent)
    assert only(todos(silent)).commands == ("./deploy.sh status -s prod", "./deploy.sh -s prod")
    assert not is_lost(facts(down, lost_since=NOW - 3, status_age=4.0))


def test_a_service_without_replicas_has_stopped_whatever_else_is_the_matter() -> None:
    down = replace(WELL, status=ServiceStatus("down", ready=0, total=1), failure=failure("LOGIN_EXPIRED"))
    todo = only(todos(facts(down)))
    assert (todo.rule, todo.grade) == ("down", Grade.BAD)
    assert todo.commands == ("./deploy.sh restart zhihu -s prod", "./deploy.sh logs zhihu --tail 50 -s prod")
    assert "refuses" not in todo.why


def test_a_hub_without_replicas_has_stopped() -> None:
    todo = only(todos(facts(WELL, hub=ServiceStatus("down", ready=0, total=1))))
    assert (todo.rule, todo.grade) == ("hub", Grade.BAD)
    assert todo.commands[0] == "./deploy.sh restart hub -s prod"
    assert todos(facts(WELL, hub=ServiceStatus("up", ready=1, total=1))) == []


def test_a_service_that_was_never_checked_has_not_stopped() -> None:
    new = replace(WELL, status=ServiceStatus("unknown", ready=0, total=1))
    assert todos(facts(new)) == []
    assert service_grade(facts(new), new, []) == (Grade.OFF, "starting")


@pytest.mark.parametrize(
    ("code", "count", "rule", "grade"),
    [
        ("LOGIN_EXPIRED", 1, "login", Grade.WARN),
        ("CAPTCHA_REQUIRED", 1, "captcha", Grade.WARN),
        ("NOT_CONFIGURED", 1, "setting", Grade.WARN),
        ("UPSTREAM_CHANGED", 3, "upstream", Grade.WARN),
        ("INTERNAL", 3, "failing", Grade.WARN),
        ("RATE_LIMITED", 1, "waiting", Grade.WAIT),
        ("BUSY", 1, "waiting", Grade.WAIT),
    ],
)
def test_a_code_leads_to_its_rule(code: str, count: int, rule: str, grade: Grade) -> None:
    todo = only(todos(facts(replace(WELL, failure=failure(code, count)))))
    assert (todo.rule, todo.grade) == (rule, grade)


@pytest.mark.parametrize("code", ["UPSTREAM_CHANGED", "INTERNAL", "INVALID_ARGUMENT"])
def test_a_single_failure_is_nobodys_task(code: str) -> None:
    assert todos(facts(replace(WELL, failure=failure(code)))) == []


def test_a_failure_that_is_over_or_a_limit_of_long_ago_is_nothing_to_wait_for() -> None:
    over = replace(failure("CAPTCHA_REQUIRED"), is_over=True)
    assert todos(facts(replace(WELL, failure=over))) == []
    assert todos(facts(replace(WELL, failure=failure("RATE_LIMITED", ago=3600)))) == []


def test_a_lost_login_offers_the_code_where_the_service_has_one() -> None:
    lost = replace(WELL, qr_login=True, accounts=(Account("main", False, NOW - 60, 3600, True),))
    todo = only(todos(facts(lost)))
    assert (todo.part, todo.button) == ("login", "Scan to log in")
    assert only(todos(facts(replace(lost, qr_login=False)))).button == ""


def test_an_account_that_never_was_logged_in_is_no_lost_login() -> None:
    assert todos(facts(replace(WELL, accounts=(Account("main", False, NOW - 60),)))) == []


def test_a_missing_secret_is_named_in_the_command() -> None:
    lacking = replace(WELL, secrets=("ZHIHU_TOKEN",), failure=failure("NOT_CONFIGURED"))
    assert (
        only(todos(facts(lacking))).commands[0]
        == "./deploy.sh config set services.zhihu.secrets.ZHIHU_TOKEN --secret -s prod"
    )


def test_a_service_that_waits_for_its_secret_has_not_stopped() -> None:
    waiting = replace(
        WELL, secrets=("KEY", "OTHER"), missing_secrets=("KEY",), status=ServiceStatus("down", ready=0, total=1)
    )
    todo = only(todos(facts(waiting)))
    assert (todo.rule, todo.grade, todo.state) == ("setting", Grade.WARN, "secret missing: KEY")
    assert todo.commands == (
        "./deploy.sh config set services.zhihu.secrets.KEY --secret -s prod",
        "./deploy.sh -s prod",
    )


def test_of_several_settings_those_that_the_service_lacks_are_named() -> None:
    lacks = replace(failure("NOT_CONFIGURED"), settings=("ZHIHU_FEED_URL", "ZHIHU_TOKEN"))
    lacking = replace(WELL, secrets=("OTHER_TOKEN", "ZHIHU_TOKEN"), failure=lacks)
    assert only(todos(facts(lacking))).commands == (
        "./deploy.sh config set services.zhihu.environment.ZHIHU_FEED_URL <VALUE> -s prod",
        "./deploy.sh config set services.zhihu.secrets.ZHIHU_TOKEN --secret -s prod",
        "./deploy.sh -s prod",
    )


def test_the_worst_is_first() -> None:
    down = ServiceFacts("a", "A", ServiceStatus("down", ready=0, total=1))
    limited = ServiceFacts("b", "B", UP, failure=failure("RATE_LIMITED"))
    some = ServiceFacts("c", "C", ServiceStatus("degraded", ready=1, total=2))
    changed = ServiceFacts("d", "D", UP, changed_tools=1)
    found = todos(facts(limited, some, changed, down, drift=2))
    assert [todo.rule for todo in found] == ["down", "tools", "replicas", "drift", "waiting"]


@pytest.mark.parametrize(("days", "found"), [(13, 1), (15, 0)])
def test_a_certificate_that_ends_within_two_weeks_is_a_task(days: int, found: int) -> None:
    assert len(todos(facts(WELL, certificate_end=NOW + days * 86_400))) == found


@pytest.mark.parametrize(("days", "found"), [(8, 1), (6, 0)])
def test_a_backup_of_more_than_a_week_ago_is_a_task(days: int, found: int) -> None:
    assert len(todos(facts(WELL, backup_at=NOW - days * 86_400))) == found


def test_a_collector_that_takes_no_spans_is_named_after_a_while() -> None:
    away = ExportState("collector.example", NOW - 61, "HTTP 401", dropped=12)
    todo = only(todos(facts(WELL, export=away)))
    assert (todo.rule, todo.grade, todo.page) == ("export", Grade.WARN, "calls")
    assert "collector.example" in todo.why and "HTTP 401" in todo.why and "12 spans were lost" in todo.why
    assert todos(facts(WELL, export=replace(away, failing_since=NOW - 59))) == []
    assert todos(facts(WELL, export=replace(away, failing_since=None))) == []


KILLED = End(NOW - 600, True, 256)


def test_a_service_that_ran_out_of_memory_is_told_which_limit_to_raise_even_if_it_runs_again() -> None:
    todo = only(todos(facts(replace(WELL, memory_mib=256, end=KILLED))))
    assert (todo.rule, todo.grade, todo.title) == ("memory", Grade.WARN, "知乎 ran out of memory")
    assert todo.commands == (
        "./deploy.sh config set services.zhihu.memoryMib 512 -s prod",
        "./deploy.sh -s prod",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"memory_mib": 512, "end": KILLED},
        {"memory_mib": 256, "end": replace(KILLED, at=NOW - 2 * 86_400)},
        {"memory_mib": 256, "end": replace(KILLED, out_of_memory=False)},
    ],
    ids=["raised since", "long ago", "ended otherwise"],
)
def test_an_end_that_is_over_or_has_another_cause_is_no_lack_of_memory(changes: dict[str, object]) -> None:
    assert todos(facts(replace(WELL, **changes))) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(("down_since", "rule"), [(NOW - 590, "memory"), (NOW + 3600, "down"), (None, "memory")])
def test_a_service_is_down_for_lack_of_memory_only_if_it_ended_just_before(down_since: float | None, rule: str) -> None:
    down = replace(WELL, status=ServiceStatus("down", ready=0, total=1), end=KILLED, down_since=down_since)
    todo = only(todos(facts(down)))
    assert (todo.rule, todo.grade) == (rule, Grade.BAD)


def test_a_part_that_ran_out_of_memory_is_named_with_its_setting() -> None:
    todo = only(todos(facts(WELL, part_ends={"hub": KILLED})))
    assert (todo.title, todo.page) == ("The hub ran out of memory", "overview")
    assert todo.commands[0] == "./deploy.sh config set hub.memoryMib 512 -s prod"


def test_without_a_known_limit_the_logs_are_named() -> None:
    todo = only(todos(facts(replace(WELL, end=replace(KILLED, memory_mib=None)))))
    assert todo.commands == ("./deploy.sh logs zhihu --tail 50 -s prod",)


def test_a_newer_failure_that_is_nobodys_task_hides_no_older_one() -> None:
    older = (failure("UPSTREAM_UNREACHABLE", 40, ago=600),)
    todo = only(todos(facts(replace(WELL, failure=failure("INTERNAL"), other_failures=older))))
    assert (todo.rule, "40 calls" in todo.why) == ("failing", True)


def test_of_several_failures_that_hold_the_worst_counts() -> None:
    older = (failure("LOGIN_EXPIRED", ago=600),)
    assert only(todos(facts(replace(WELL, failure=failure("BUSY"), other_failures=older)))).rule == "login"
