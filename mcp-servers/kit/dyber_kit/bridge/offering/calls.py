"""Sends one request to a foreign server and says what its failure means for the caller."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.shared.exceptions import MCPError
from mcp.types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    INVALID_REQUEST,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    InputRequiredResult,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from dyber_kit.bridge.children import Children
from dyber_kit.bridge.link import Link
from dyber_kit.bridge.listing import Item
from dyber_kit.bridge.masking import Masker
from dyber_kit.bridge.offering.questions import FORWARDED_CAPABILITIES, cannot_be_asked, read_questions
from dyber_kit.bridge.offering.results import MAX_ERROR_CHARS, too_long
from dyber_kit.bridge.supervisor import Supervisor
from dyber_kit.bridge.transports.failures import Failure, failure_in
from dyber_kit.bridge.transports.stdio import TOO_LONG
from dyber_kit.calling.direct import CallContext, DirectRequest, protocol_version, sdk_context
from dyber_kit.calling.progress import reporting, wants_progress
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import Text, tr_lazy

# Callers get at most ten reports of progress in a second.
_PROGRESS_SECONDS = 0.1
# The SDK's own words for a connection that has ended.
_CLOSED = "Connection closed"


@dataclass(frozen=True)
class Wanted:
    """Describes what a caller wants of a foreign server.

    Attributes:
        item: The locked tool, prompt, resource or template that it is about.
        method: Method of the request.
        params: Its parameters; arguments fit the locked schema.
        arguments: Names of all arguments that a caller may give.
        is_write: Whether it may change something, so that nobody may repeat a request whose outcome is unknown.
    """

    item: Item
    method: str
    params: dict[str, Any]
    arguments: Sequence[str] = ()
    is_write: bool = False


@dataclass(frozen=True)
class Backend:
    """Holds what the tools, prompts and resources of a foreign server share.

    Attributes:
        children: The running servers; None when a required secret is missing.
        missing: Names of the required secrets that are missing.
        masker: Removes secrets from answers.
    """

    children: Children | None
    missing: tuple[str, ...]
    masker: Masker

    async def ask(self, wanted: Wanted, context: CallContext | None) -> Mapping[str, Any] | InputRequiredResult:
        """Return the answer of the caller's server, or the questions that the caller has to answer first.

        Args:
            wanted: What the caller wants.
            context: The caller's request; None for one that takes no progress and answers no questions.

        Raises:
            ServiceError: The request failed.
            MCPError: A client of 2026-07-28 cannot be asked what the server wants to know.
        """
        if self.children is None:
            raise ServiceError(
                ErrorCode.NOT_CONFIGURED,
                tr_lazy(
                    "The server behind this service needs {names}, which is not set", names=", ".join(self.missing)
                ),
                tr_lazy("Ask the operator to set it with ./deploy.sh config set --secret, and to deploy again"),
            )
        if context is None or not wants_progress(context):
            async with self.children.choose().turn() as supervisor:
                return await ForeignRequest(supervisor, self.masker, wanted, context, reports=False).run()
        async with reporting(context) as reported, self.children.choose().turn() as supervisor:
            return await ForeignRequest(supervisor, self.masker, wanted, reported, reports=True).run()


class ForeignRequest:
    """Represents one request of a caller to a foreign server.

    Args:
        supervisor: Keeps the server that handles the request.
        masker: Removes secrets from what the server says.
        wanted: What the caller wants.
        context: Takes progress, and has what the caller answered to earlier questions; None when it does neither.
        reports: Whether the caller wants to know about progress; the server is not asked for it otherwise.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        masker: Masker,
        wanted: Wanted,
        context: CallContext | None,
        *,
        reports: bool,
    ) -> None:
        self._supervisor = supervisor
        self._masker = masker
        self._wanted = wanted
        self._context = context
        self._reports = reports
        self._is_modern = context is not None and protocol_version(context) in MODERN_PROTOCOL_VERSIONS
        self._reported_at = 0.0

    async def run(self) -> Mapping[str, Any] | InputRequiredResult:
        """Return the server's answer, or the questions that the caller has to answer first.

        The call is sent once; again only when the server refused it before it looked at it, as its session had ended.

        Raises:
            ServiceError: The call failed.
            MCPError: A client of 2026-07-28 cannot be asked what the server wants to know.
        """
        link = await self._link()
        try:
            answer = await self._send(link)
        except MCPError as error:
            if failure_in(error) is not Failure.SESSION_ENDED:
                raise await self._failed(error, link) from error
            self._supervisor.renew(link)
            answer = await self._send_again(await self._link())
        if answer.get("resultType") == "input_required" or "inputRequests" in answer:
            if not self._is_modern:
                raise cannot_be_asked()
            return read_questions(answer, self._capabilities())
        return answer

    async def _link(self) -> Link:
        """Return the connection, once the server runs and still has the item as it was locked.

        Raises:
            ServiceError: UPSTREAM_CHANGED: it has not.
        """
        link = await self._supervisor.link()
        differences = self._supervisor.differences
        if self._wanted.item in differences.changed or self._wanted.item in differences.missing:
            raise ServiceError(
                ErrorCode.UPSTREAM_CHANGED,
                tr_lazy(
                    "The server behind this service now describes {name} differently than reviewed",
                    name=self._wanted.item.name,
                ),
                tr_lazy("Tell the operator to review the change and to update the service"),
            )
        return link

    async def _send_again(self, link: Link) -> dict[str, Any]:
        try:
            return await self._send(link)
        except MCPError as error:
            raise await self._failed(error, link) from error

    async def _send(self, link: Link) -> dict[str, Any]:
        params = dict(self._wanted.params)
        if link.era == "modern":
            params |= self._answers()
        try:
            report = self._report if self._reports else None
            capabilities = self._capabilities() if link.era == "modern" else None
            return await link.request(self._wanted.method, params, capabilities=capabilities, on_progress=report)
        except anyio.get_cancelled_exc_class():
            if anyio.current_effective_deadline() <= anyio.current_time():
                self._supervisor.suspect()
                if self._wanted.is_write:
                    raise ServiceError(
                        ErrorCode.OUTCOME_UNKNOWN,
                        tr_lazy(
                            "The server behind this service did not answer in time; the call may have taken effect"
                        ),
                    ) from None
            raise

    async def _report(self, progress: float, total: float | None, message: str | None) -> None:
        now = time.monotonic()
        is_last = total is not None and progress >= total
        if now - self._reported_at >= _PROGRESS_SECONDS or is_last:
            self._reported_at = now
            text = self._masker.text(message)[:MAX_ERROR_CHARS] if message else None
            assert self._context is not None, "progress is taken only of requests with a context"
            await sdk_context(self._context).report_progress(progress, total, text)

    def _capabilities(self) -> dict[str, Any]:
        """Return what the caller can be asked; nothing for callers whose calls are not repeated with answers."""
        call = self._context
        if call is None or not self._is_modern:
            return {}
        if isinstance(call, DirectRequest) and not call.capabilities.keys() & FORWARDED_CAPABILITIES:
            return {}
        declared = sdk_context(call).client_capabilities
        if declared is None:
            return {}
        named = declared.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {name: named[name] for name in named if name in FORWARDED_CAPABILITIES}

    def _answers(self) -> dict[str, Any]:
        """Return what the caller answered, and the state that the server gave with its questions, unchanged."""
        answers: dict[str, Any] = {}
        if self._context is None or isinstance(self._context, DirectRequest):
            return answers
        if self._context.input_responses:
            answers["inputResponses"] = {
                name: response.model_dump(mode="json", by_alias=True, exclude_none=True)
                for name, response in self._context.input_responses.items()
            }
        if self._context.request_state is not None:
            answers["requestState"] = self._context.request_state
        return answers

    async def _failed(self, error: MCPError, link: Link) -> Exception:
        """Return what an error of the server, or of the way to it, means for the caller."""
        code, text = error.error.code, self._masker.text(error.error.message)[:MAX_ERROR_CHARS]
        failure = failure_in(error)
        if failure is Failure.REFUSED:
            return ServiceError(
                ErrorCode.NOT_CONFIGURED,
                tr_lazy("The remote server refuses the credentials of this service ({reason})", reason=text),
                tr_lazy("Ask the operator to check the secret in source.headers"),
            )
        if failure is Failure.BUSY:
            return ServiceError(
                ErrorCode.RATE_LIMITED, tr_lazy("The remote server limits calls ({reason})", reason=text)
            )
        if failure is Failure.NOT_SENT:
            return ServiceError(
                ErrorCode.UPSTREAM_UNREACHABLE, tr_lazy("The remote server cannot be reached: {reason}", reason=text)
            )
        if failure is Failure.UNREACHABLE:
            return self._lost(text)
        if code == CONNECTION_CLOSED and text == _CLOSED:
            reason = await self._supervisor.last_ending() or text
            # A connection that nobody else has missed: its way to the server is closed, but not the way back.
            self._supervisor.renew(link)
            return self._lost(reason)
        if code == MISSING_REQUIRED_CLIENT_CAPABILITY:
            if self._is_modern:
                return error
            return cannot_be_asked()
        if text == TOO_LONG:
            return too_long(
                tr_lazy(
                    "The answer is too long and was not read: more than 16 MiB, or more than 1 MiB with very many values"
                ),
                self._wanted.arguments,
            )
        if code in (INVALID_PARAMS, INVALID_REQUEST):
            return ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("The server behind this service refuses the call: {reason}", reason=text),
            )
        return ServiceError(
            ErrorCode.INTERNAL,
            tr_lazy("The server behind this service answers with an error: {reason}", reason=text),
            tr_lazy("Correct the call if the text says how; otherwise tell the operator"),
        )

    def _lost(self, reason: Text | str) -> ServiceError:
        if self._wanted.is_write:
            return ServiceError(
                ErrorCode.OUTCOME_UNKNOWN,
                tr_lazy(
                    "The server behind this service stopped during the call, which may have taken effect ({reason})",
                    reason=reason,
                ),
            )
        return ServiceError(
            ErrorCode.UPSTREAM_UNREACHABLE,
            tr_lazy(
                "The server behind this service stopped during the call and is being started again ({reason})",
                reason=reason,
            ),
            tr_lazy("Call again; the call was not repeated by itself"),
        )
