"""Defines the two REST routes of the first release."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from dyber_kit import RestRoute
from pydantic import BaseModel, Field


class TestBody(BaseModel):
    """Describes the body of POST /test."""

    message: str = Field("Hello", max_length=2000)


class AsyncTestBody(BaseModel):
    """Describes the body of POST /async-test."""

    data: str = Field("Test", max_length=2000)


async def answer_test(body: TestBody) -> dict[str, Any]:
    """Return the message with the time."""
    return {"message": f"Template response: {body.message}", "timestamp": time.time()}


async def answer_async_test(body: AsyncTestBody) -> dict[str, Any]:
    """Return the data after other tasks had a chance to run."""
    await asyncio.sleep(0)
    return {"data": f"Template async response: {body.data}", "processed": True}


ROUTES = [
    RestRoute("/test", "test_function", answer_test),
    RestRoute("/async-test", "async_test_function", answer_async_test),
]
