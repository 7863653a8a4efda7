"""Runs the steps of a write: it is described, confirmed by the user, carried out once, and recorded in the log."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import anyio
from pydantic import BaseModel, ConfigDict, Field

from dyber_kit.calling.asking import InputRequired, ask_consent, can_ask, given_consent
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr, tr_lazy
from dyber_kit.observing.logs import without_values
from dyber_kit.writes.confirm import MAX_TOKEN_CHARS, Confirmations, Permit

logger = logging.getLogger("dyber.writes")

#: Parameters that every tool that writes has: `dry_run: DryRun = True, confirmation: Confirmation = ""`.
DryRun = Annotated[bool, Field(description="true: only show what would be done")]
Confirmation = Annotated[
    str, Field(description="From the dry run; once the user agrees, with dry_run=false", max_length=MAX_TOKEN_CHARS)
]

#: Returns the description of a write for the user; raises the error that would prevent the write.
Plan = Callable[[], Awaitable[str]]
#: Carries a write out; calls its argument immediately before the submit, which is its last request to the platform.
#: Returns False if nothing had to be changed.
Act = Callable[[Callable[[], None]], Awaitable[bool | None]]
# Codes that do not tell whether what was submitted took effect.
_UNCLEAR = {ErrorCode.TIMEOUT, ErrorCode.UPSTREAM_UNREACHABLE, ErrorCode.INTERNAL}


def _shorten(schema: dict[str, Any]) -> None:
    """Keep only the names of fields and the types of flags: every tool that writes repeats this schema to agents."""
    fields = schema["properties"].items()
    types = {name: {"type": "boolean"} if rules.get("type") == "boolean" else {} for name, rules in fields}
    schema.clear()
    schema.update(type="object", properties=types)


class WriteResult(BaseModel):
    """Describes a write, or with `dry_run` the write that `confirmation` permits."""

    model_config = ConfigDict(json_schema_extra=_shorten)

    done: bool
    dry_run: bool
    summary: str
    already_so: bool = False
    confirmation: str | None = None
    valid_seconds: int | None = None
    next_step: str


def describes_first(dry_run: bool, confirmation: str) -> bool:
    """Return whether a call describes its write first, in the answer to a dry run or in the question to the user."""
    return dry_run or (not confirmation and can_ask() and given_consent() is None)


class Writes:
    """Runs the tools of a service that write.

    Args:
        confirmations: Issues and checks the tokens.
    """

    def __init__(self, confirmations: Confirmations | None = None) -> None:
        self._confirmations = confirmations or Confirmations()

    @property
    def valid_seconds(self) -> float:
        """Return how long a confirmation is valid."""
        return self._confirmations.valid_seconds

    async def run(
        self, name: str, arguments: dict[str, Any], dry_run: bool, confirmation: str, plan: Plan, act: Act
    ) -> WriteResult:
        """Describe the write and issue a token for exactly `arguments`; with that token, carry the write out.

        Without a dry run and a token, a client that declares elicitation is asked to let the user confirm the
        description, and the write is carried out if the user agrees.

        Args:
            name: The tool's name.
            arguments: All arguments that determine the effect; `account` is shown in the log.
            dry_run: Whether to describe the write only.
            confirmation: The token of the dry run.
            plan: Describes the write.
            act: Carries the write out.

        Raises:
            ServiceError: The error of `plan` or `act`; CONFIRMATION_REQUIRED; OUTCOME_UNKNOWN when the call was
                cancelled, timed out or crashed after the submit.
        """
        with _recorded(name, arguments) as record:
            if dry_run:
                described = await self._described(name, arguments, plan)
                record.outcome = "dry_run"
                return described
            confirmed_by: Literal["token", "user"] = "token"
            if not confirmation and can_ask():
                confirmation = await self._asked(name, arguments, plan, record)
                confirmed_by = "user"
            permit = self._confirmations.check(confirmation, name, arguments)
            record.confirmed_by = confirmed_by
            changed = await _carried_out(act, permit)
            record.outcome = "already_so" if changed is False else "done"
        return WriteResult(
            done=True,
            dry_run=False,
            summary=tr("It was like this already; nothing was changed") if changed is False else tr("Done"),
            already_so=changed is False,
            next_step=tr("Tell the user the result"),
        )

    async def _described(self, name: str, arguments: dict[str, Any], plan: Plan) -> WriteResult:
        summary = await plan()
        next_step = tr(
            "Show summary to the user; when the user agrees, call again with the same arguments, dry_run=false and "
            "confirmation"
        )
        if can_ask():
            next_step = tr(
                "To do it, call again with the same arguments and dry_run=false: the client then asks the user itself"
            )
        return WriteResult(
            done=False,
            dry_run=True,
            summary=summary,
            confirmation=self._confirmations.issue(name, arguments),
            valid_seconds=int(self._confirmations.valid_seconds),
            next_step=next_step,
        )

    async def _asked(self, name: str, arguments: dict[str, Any], plan: Plan, record: _Record) -> str:
        """Return the token of the write that the user confirmed through the client; "" if the client did not ask.

        Raises:
            ServiceError: CONFIRMATION_REQUIRED when the user did not agree; the error of `plan`.
            InputRequired: The client has to ask first, and then repeats the call.
        """
        consent = given_consent()
        if consent is None:
            summary = await plan()
            question = tr("Please confirm: {summary}", summary=summary)
            consent = await ask_consent(question, self._confirmations.issue(name, arguments))
        if consent is None:
            return ""
        if not consent.agreed:
            record.outcome = "declined"
            raise ServiceError(
                ErrorCode.CONFIRMATION_REQUIRED,
                tr_lazy("The user did not agree; nothing was submitted"),
                tr_lazy("Talk to the user first; do not try again unless the user has changed their mind"),
            )
        return consent.state


@dataclass
class _Record:
    """Holds what the log says about a call of a tool that writes."""

    outcome: str = ""
    #: "-" until the call is confirmed.
    confirmed_by: Literal["token", "user", "-"] = "-"


@contextmanager
def _recorded(name: str, arguments: dict[str, Any]) -> Iterator[_Record]:
    """Write a line about the call to the log when it ends, without its contents; the client is in every line."""
    text = json.dumps(arguments, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
    record = _Record()
    outcome = "cancelled"
    try:
        yield record
        outcome = record.outcome
    except InputRequired:
        outcome = "asked"
        raise
    except ServiceError as error:
        outcome = record.outcome or str(error.code)
        raise
    except Exception:
        outcome = str(ErrorCode.INTERNAL)
        raise
    finally:
        logger.info(
            "write",
            extra={
                "tool": name,
                "account": str(arguments.get("account", "-")),
                "outcome": outcome,
                "confirmed_by": record.confirmed_by,
                "arguments_sha256": hashlib.sha256(text.encode()).hexdigest(),
            },
        )


async def _carried_out(act: Act, permit: Permit) -> bool | None:
    """Carry a write out; an end after the submit that says nothing about the effect becomes OUTCOME_UNKNOWN.

    After an error that certainly had no effect, the confirmation is valid again.
    """
    is_submitted = False

    def spend() -> None:
        nonlocal is_submitted
        permit.spend()
        is_submitted = True

    try:
        return await act(spend)
    except ServiceError as error:
        if is_submitted and error.had_no_effect:
            permit.give_back()
        elif is_submitted and error.code in _UNCLEAR:
            raise ServiceError(ErrorCode.OUTCOME_UNKNOWN) from error
        raise
    except (Exception, anyio.get_cancelled_exc_class()) as error:
        if not is_submitted:
            raise
        shown = without_values(error) if isinstance(error, Exception) else error
        logger.warning("outcome of a write unknown", exc_info=shown)
        raise ServiceError(ErrorCode.OUTCOME_UNKNOWN) from error
