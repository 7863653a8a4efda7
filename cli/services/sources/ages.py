"""Keeps versions out that are too young: nobody had time to notice something bad in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cli.services.sources.packages import SourceError
from messages import tr

#: Images whose builds are reproducible say that they were made before this.
_NEVER = datetime(1990, 1, 1, tzinfo=UTC)


def latest_moment(days: int, now: datetime | None = None) -> datetime | None:
    """Return the moment after which nothing may have been published to be `days` old; None if all ages are fine."""
    return (now or datetime.now(UTC)).replace(microsecond=0) - timedelta(days=days) if days > 0 else None


def written(before: datetime) -> str:
    """Return a moment as npm and uv read it."""
    return before.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def is_known(published: datetime | None) -> bool:
    """Tell whether a moment of publishing is one, and not the beginning of time."""
    return published is not None and published > _NEVER


def check(package: str, published: datetime | None, before: datetime | None) -> None:
    """Raise SourceError for a package that was published after `before`."""
    if before and published and published > before:
        raise too_young(tr("{package} was published on {date}", package=package, date=f"{published:%Y-%m-%d}"), before)


def too_young(message: str, before: datetime) -> SourceError:
    """Return the error of a package of which no version is old enough; `message` says what was found."""
    return SourceError(
        message,
        tr(
            "nothing published after {date} is taken (--min-age, build.minAgeDays): take an older version, or allow a "
            "younger one",
            date=f"{before:%Y-%m-%d %H:%M} UTC",
        ),
    )
