"""Says in one sentence what each code of a failed call means, and what the administrator can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dyber_console.language import tr


@dataclass(frozen=True)
class Meaning:
    """Holds the sentence of a code, and the next step; "" when there is nothing to do."""

    sentence: str
    next_step: str = ""


def meaning(code: str) -> Meaning:
    """Return what a code of a service or of the gateway means, in the language of the page."""
    known = _MEANINGS.get(code)
    if known is not None:
        return known()
    status = code.removeprefix("http_")
    if code.startswith("http_4"):
        return Meaning(
            tr("The service could not accept the client's request: HTTP status {status}", status=status),
            tr("Correct what the client sends, or update the client"),
        )
    if code.startswith("http_"):
        return Meaning(
            tr("The service answered with HTTP status {status}", status=status), tr("Look at the service's log")
        )
    return Meaning(tr("The service reported a failure that the console does not know"))


def known_codes() -> frozenset[str]:
    """Return all codes that have a sentence."""
    return frozenset(_MEANINGS)


_MEANINGS: dict[str, Callable[[], Meaning]] = {
    "ok": lambda: Meaning(tr("Succeeded")),
    "cancelled": lambda: Meaning(tr("The caller cancelled")),
    "tool_error": lambda: Meaning(tr("The tool answered with an error of its own")),
    "protocol_error": lambda: Meaning(tr("The request does not follow the protocol"), tr("Update the client")),
    "unknown_tool": lambda: Meaning(
        tr("There is no such tool, or its arguments are malformed"),
        tr("Check the tool's name; let the client read the list of tools again"),
    ),
    "timeout": lambda: Meaning(tr("The console waited too long for the answer"), tr("Ask for less")),
    "answer_too_long": lambda: Meaning(tr("The answer is too long for the console"), tr("Ask for less")),
    # Codes of services.
    "LOGIN_REQUIRED": lambda: Meaning(
        tr("A login to the platform is required"), tr("Log in by scanning a code, then call again")
    ),
    "LOGIN_EXPIRED": lambda: Meaning(
        tr("The login of the platform account has expired"), tr("Log in by scanning a code, then call again")
    ),
    "NOT_FOUND": lambda: Meaning(tr("The content does not exist or was deleted"), tr("Check the link or the id")),
    "RATE_LIMITED": lambda: Meaning(
        tr("The platform limits how often it may be accessed"), tr("Wait; the service tries again by itself")
    ),
    "QUOTA_EXHAUSTED": lambda: Meaning(
        tr("The platform's quota for today is used up"), tr("Wait for the quota to be restored, or raise it")
    ),
    "CAPTCHA_REQUIRED": lambda: Meaning(
        tr("The platform asks for a human verification"),
        tr("Open the platform in your own browser and complete the verification"),
    ),
    "ACCESS_RESTRICTED": lambda: Meaning(
        tr("The platform restricts access to this content"), tr("Check that the account may see it")
    ),
    "UPSTREAM_CHANGED": lambda: Meaning(
        tr("The platform's pages have changed and cannot be read"), tr("Update the service, or report the problem")
    ),
    "UPSTREAM_UNREACHABLE": lambda: Meaning(
        tr("The platform cannot be reached"), tr("Check the network of the machine with the deployment")
    ),
    "INVALID_ARGUMENT": lambda: Meaning(tr("The arguments are not correct"), tr("Correct the arguments")),
    "CONFIRMATION_REQUIRED": lambda: Meaning(tr("The operation has to be confirmed by the user first")),
    "OUTCOME_UNKNOWN": lambda: Meaning(
        tr("The operation was submitted, but its outcome was not seen"),
        tr("Look on the platform whether it took effect before repeating it"),
    ),
    "READ_ONLY": lambda: Meaning(tr("The service is read-only")),
    "NOT_CONFIGURED": lambda: Meaning(
        tr("The service lacks a setting that it needs"), tr("Set what its README names, then deploy")
    ),
    "TIMEOUT": lambda: Meaning(tr("The operation took too long"), tr("Ask for less, or wait for the platform")),
    "BUSY": lambda: Meaning(tr("The service is busy"), tr("Wait; calls run in turn")),
    "INTERNAL": lambda: Meaning(tr("The service had an internal error"), tr("Look at the service's log")),
    # Codes of the gateway.
    "bad_request": lambda: Meaning(tr("The request is malformed")),
    "headers_too_large": lambda: Meaning(tr("The request headers are too large")),
    "plain_http": lambda: Meaning(tr("Plain HTTP came in on the port for HTTPS"), tr("Use https:// in the address")),
    "unauthorized": lambda: Meaning(
        tr("There was no token, or not one of this gateway"), tr("Check the token that the client sends")
    ),
    "forbidden": lambda: Meaning(
        tr("The client may not call this"), tr("Extend the client's services, or leave it so")
    ),
    "insufficient_scope": lambda: Meaning(
        tr("The login's token lacks a scope"), tr("Authorize the client again and grant the scope")
    ),
    "login_elsewhere": lambda: Meaning(tr("The login is at the identity provider")),
    "login_unavailable": lambda: Meaning(
        tr("Tokens of logins cannot be verified now"), tr("See whether the identity provider answers")
    ),
    "foreign_origin": lambda: Meaning(
        tr("A web page of another address called"), tr("Allow its origin, if it is yours")
    ),
    "not_found": lambda: Meaning(tr("There is no such address at the gateway")),
    "metrics_only": lambda: Meaning(tr("This address has metrics only")),
    "no_oauth": lambda: Meaning(tr("The client looked for a login that the gateway does not have")),
    "no_console": lambda: Meaning(tr("The stack has no console"), tr("Set console.enabled to true, then deploy")),
    "console_away": lambda: Meaning(tr("The console did not answer"), tr("Look at the console's log")),
    "method_not_allowed": lambda: Meaning(tr("The address does not support the request method")),
    "request_timeout": lambda: Meaning(tr("The request was sent too slowly")),
    "too_large": lambda: Meaning(tr("The request body is too large"), tr("Send less, or raise gateway.maxBodyMib")),
    "address_too_long": lambda: Meaning(tr("The request address is too long")),
    "unknown_host": lambda: Meaning(
        tr("The gateway does not know the host name of the address"), tr("Add it to gateway.serverNames")
    ),
    "rate_limited": lambda: Meaning(tr("The client called too often"), tr("Slow the client down, or raise its limits")),
    "internal_error": lambda: Meaning(tr("The gateway had an internal error"), tr("Look at the gateway's log")),
    "service_down": lambda: Meaning(tr("The service broke off or did not answer"), tr("Look at the service's log")),
    "overloaded": lambda: Meaning(tr("The gateway could not take the call")),
    "circuit_open": lambda: Meaning(
        tr("The gateway's breaker was open; the service was not asked"), tr("Look at the service's log")
    ),
    "service_timeout": lambda: Meaning(
        tr("The service did not answer in time"), tr("Ask for less, or raise maxCallSeconds")
    ),
}
