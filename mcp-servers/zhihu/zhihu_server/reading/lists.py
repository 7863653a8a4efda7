"""Reads the hot list, searches, and has Zhihu generate an answer."""

from __future__ import annotations

from typing import Any, Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.calling.cursors import fit_items
from dyber_kit.times import stamp

from zhihu_server.model.answers import Generated, HotList, SearchResults
from zhihu_server.official.api import MAX_SEARCH, MAX_WEB_SEARCH, Model
from zhihu_server.reading.common import Kept, Source, Sources, cursor_at, start_of
from zhihu_server.texts import tr, tr_lazy

Scope = Literal["zhihu", "web"]
Kind = Literal["all", "answer", "article"]
Sort = Literal["default", "votes", "newest"]
Period = Literal["any", "day", "week", "month", "three_months", "half_year", "year"]

#: Zhihu allows some accounts only a few requests for the hot list per day.
HOT_SECONDS = 900.0
_SEARCH_SECONDS = 300.0
_SORTS: dict[Sort, str] = {"votes": "upvoted_count", "newest": "created_time"}
_PERIODS: dict[Period, str] = {
    "day": "a_day",
    "week": "a_week",
    "month": "a_month",
    "three_months": "three_months",
    "half_year": "half_a_year",
    "year": "a_year",
}
#: Pages of results load while scrolling, so that later ones take long.
MOST_RESULTS = 100


class ListReader:
    """Answers the tools for the hot list and for searches."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def hot(self, limit: int, source: Source, verbose: bool, account: str) -> HotList:
        """Return the first entries of the hot list. Raises ServiceError."""
        sources = self._sources

        async def official() -> dict[str, Any]:
            return {"items": await sources.official.hot_list()}

        async def browser() -> Kept:
            name = sources.account(account)

            async def load() -> dict[str, Any]:
                return {"items": await sources.site.hot_list(name)}

            return await sources.kept("browser", f"hot {name}", HOT_SECONDS, load)

        kept = await sources.official_first(source, "hot", HOT_SECONDS, official, browser)
        items = sources.parser.hot(kept.data["items"], verbose)
        if kept.data["items"] and not items:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        kept_items = fit_items(items[:limit], sources.max_list_chars)
        return HotList(**kept.frame, items=kept_items, count=len(kept_items))

    async def search(
        self,
        query: str,
        scope: Scope,
        kind: Kind,
        sort: Sort,
        period: Period,
        limit: int,
        cursor: str,
        source: Source,
        verbose: bool,
        account: str,
    ) -> SearchResults:
        """Return results from the official API, or from the page when only the page has what is asked for.

        Raises:
            ServiceError: Zhihu's refusal.
        """
        filters = {
            **({"vertical": kind} if kind != "all" else {}),
            **({"sort": _SORTS[sort]} if sort != "default" else {}),
            **({"time_interval": _PERIODS[period]} if period != "any" else {}),
        }
        if scope == "web":
            return await self._web(query, filters, limit, verbose)
        listed = f"search {query} {sorted(filters.items())}"
        start = start_of(listed, cursor, MOST_RESULTS)
        if source == "auto" and (filters or start):
            source = "browser"
        if source == "official" and start:
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("The official search has no further pages"),
                tr_lazy("Use source=browser to go on"),
                fields=["source"],
            )
        sources = self._sources

        async def official() -> dict[str, Any]:
            return {"items": await sources.official.search(query, MAX_SEARCH), "official": True}

        async def browser() -> Kept:
            name, end = sources.account(account), min(start + limit, MOST_RESULTS)

            async def load() -> dict[str, Any]:
                page = await sources.site.search(name, query, filters, end)
                return {"items": page.items, "complete": page.complete, "sent": page.sent}

            return await sources.listed(f"{listed} {name}", start, end, _SEARCH_SECONDS, load)

        kept = await sources.official_first(source, listed, _SEARCH_SECONDS, official, browser)
        answer = SearchResults(
            **kept.frame, items=[], count=0, applied={"scope": scope}, complete=bool(kept.data.get("complete"))
        )
        if kept.data.get("official"):
            items = sources.parser.official_results(kept.data["items"], web=False, verbose=verbose)[:limit]
            answer.complete = len(items) < limit
            if filters:
                answer.warnings.append(tr("The official search has no filters; kind, sort and period did nothing"))
            if len(items) < limit and limit > MAX_SEARCH:
                answer.complete = False
                answer.warnings.append(
                    tr("The official search has at most {most} results; source=browser has more", most=MAX_SEARCH)
                )
            answer.items = fit_items(items, sources.max_list_chars)
        else:
            answer.applied |= _applied(kept.data["sent"])
            missing = [
                f"{name}={wanted}"
                for name, wanted in (("kind", kind), ("sort", sort), ("period", period))
                if answer.applied[name] != wanted
            ]
            if missing:
                reason = tr("Zhihu's page did not apply {filters}; see applied", filters=", ".join(missing))
                answer.warnings.append(reason)
            every = sources.parser.page_results(kept.data["items"], verbose)
            wanted = every[start : start + limit]
            if not wanted and (kept.data["items"] or start) and not (every and answer.complete):
                raise _not_loaded() if every else ServiceError(ErrorCode.UPSTREAM_CHANGED)
            answer.items = fit_items(wanted, sources.max_list_chars)
            reached = start + len(answer.items)
            answer.complete = answer.complete and reached >= len(every)
            if answer.items and not answer.complete and reached < MOST_RESULTS:
                answer.next_cursor = cursor_at(listed, reached)
        answer.count = len(answer.items)
        return answer

    async def _web(self, query: str, filters: dict[str, str], limit: int, verbose: bool) -> SearchResults:
        sources = self._sources

        async def official() -> dict[str, Any]:
            return {"items": await sources.official.search_web(query, MAX_WEB_SEARCH, "")}

        kept = await sources.kept("official", f"web {query}", _SEARCH_SECONDS, official)
        items = sources.parser.official_results(kept.data["items"], web=True, verbose=verbose)[:limit]
        fitting = fit_items(items, sources.max_list_chars)
        answer = SearchResults(
            **kept.frame,
            items=fitting,
            count=len(fitting),
            applied={"scope": "web"},
            complete=len(kept.data["items"]) < MAX_WEB_SEARCH and len(fitting) == len(kept.data["items"]),
        )
        if filters:
            answer.warnings.append(tr("The official search has no filters; kind, sort and period did nothing"))
        return answer

    async def ask(self, query: str, model: Model) -> Generated:
        """Return a generated text. Raises ServiceError."""
        text = await self._sources.official.ask(query, model)
        cleaned = self._sources.parser.text(text, 12_000)
        if not cleaned.text:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED, tr_lazy("Zhihu generated an empty text"))
        return Generated(
            source="official",
            fetched_at=stamp(),
            warnings=[tr("This text is generated and may be wrong; check it with zhihu_search_content")],
            text=cleaned.text,
            model=model,
            truncated=cleaned.truncated,
        )


def _applied(sent: dict[str, str]) -> dict[str, str]:
    """Return the arguments that stand for the filters of the page's request."""
    sorts = {value: name for name, value in _SORTS.items()}
    periods = {value: name for name, value in _PERIODS.items()}
    kind, sort, period = (sent.get(name, "") for name in ("vertical", "sort", "time_interval"))
    return {
        "kind": kind or "all",
        "sort": sorts.get(sort, "default"),
        "period": periods.get(period, "any"),
    }


def _not_loaded() -> ServiceError:
    return ServiceError(
        ErrorCode.TIMEOUT,
        tr_lazy("The page stopped loading before these results"),
        tr_lazy("Try again later with the same cursor"),
    )
