"""Ages are counted in days, and what says no age is not called old."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cli.services.sources import ages, details, oci_images
from cli.services.sources.packages import SourceError

NOW = datetime(2026, 6, 8, 12, tzinfo=UTC)


def test_days_become_a_moment_as_programs_read_it() -> None:
    before = ages.latest_moment(7, NOW)
    assert before and ages.written(before) == "2026-06-01T12:00:00Z"
    assert ages.latest_moment(0, NOW) is None


def test_what_is_too_young_is_refused_with_a_next_step() -> None:
    before = ages.latest_moment(7, NOW)
    ages.check("x", datetime(2026, 6, 1, tzinfo=UTC), before)
    ages.check("x", NOW, None)
    ages.check("x", None, before)
    with pytest.raises(SourceError) as refused:
        ages.check("x", NOW, before)
    assert "2026-06-08" in refused.value.message and "2026-06-01" in refused.value.next_step


@pytest.mark.parametrize("created", ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "", None])
def test_an_image_of_a_reproducible_build_says_no_age(created: str | None) -> None:
    assert oci_images.made_at({"Created": created}) is None
    assert oci_images.made_at({"Created": "2026-06-01T12:00:00.123Z"}) is not None


@pytest.mark.parametrize(
    ("people", "names"),
    [
        ("sky <a@example.test>", "sky"),
        ({"name": "sky", "email": "a@example.test"}, "sky"),
        ([{"name": "sky"}, "sea <b@example.test>", "sky <c@example.test>"], "sky, sea"),
        ('"Sky, Inc." <a@example.test>', "Sky, Inc."),
        ("a@example.test", ""),
        (None, ""),
    ],
)
def test_people_are_named_without_their_addresses(people: object, names: str) -> None:
    assert details.names(people) == names
