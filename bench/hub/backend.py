"""Serves a kit service whose tools answer at once and call no platform: the backend of the benchmark of the hub.

    DYBER_SERVICE=mail BENCH_TOOLS=14 python -m backend

It runs in a container that has the kit, so it imports nothing else of this repository. Texts and schemas have the size
of real ones, about 1.2 kB for each tool.
"""

from __future__ import annotations

import os
from itertools import islice, product
from typing import Annotated

from dyber_kit import ServiceApp, Settings, create_app, run, tool
from dyber_kit.calling.tools import ToolDeclaration
from pydantic import BaseModel, Field

VERBS = ("find", "get", "list", "count", "compare")
NOUNS = ("entries", "people", "places", "files")


class Answer(BaseModel):
    """What a tool of the benchmark answers."""

    text: str = Field(description="The text that was sent")
    length: int = Field(description="Its number of characters")


def declared(name: str, verb: str, noun: str) -> ToolDeclaration:
    """Return a tool that answers with the text that it gets."""

    async def answer(
        text: Annotated[str, Field(description="What to look for, in words of any language", max_length=200_000)],
        limit: Annotated[int, Field(description="Most entries to return at once", ge=1, le=50)] = 10,
        language: Annotated[str, Field(description="Language of the answer, such as zh or en", max_length=10)] = "zh",
        cursor: Annotated[str, Field(description="next_cursor of the answer before", max_length=500)] = "",
    ) -> Answer:
        return Answer(text=text, length=len(text))

    answer.__name__ = name
    answer.__doc__ = (
        f"{verb.capitalize()} {noun} that match a text. Returns the text and its length. Use it when someone asks for "
        f"{noun}; for a single entry of {noun} use the tool that gets it. An empty list means that nothing matches."
    )
    return tool(title=f"{verb} {noun}", read_only=True, open_world=False)(answer)


def names(service: str, number: int) -> list[tuple[str, str, str]]:
    """Return the names of a service's tools, each with the verb and the noun in it."""
    pairs = islice(product(VERBS, NOUNS), number)
    return [(f"{service}_{verb}_{noun}", verb, noun) for verb, noun in pairs]


def build_app(service: str, number: int, settings: Settings | None = None) -> ServiceApp:
    """Return the service with this number of tools, at most 20."""
    return create_app(
        name=service,
        title=f"Benchmark {service}",
        version="1.0.0",
        instructions=f"The tools of {service} answer with what they are sent.",
        tools=[declared(*parts) for parts in names(service, number)],
        settings=settings or Settings.from_environment(9000),
    )


if __name__ == "__main__":
    run(build_app(os.environ["DYBER_SERVICE"], int(os.environ["BENCH_TOOLS"])))
