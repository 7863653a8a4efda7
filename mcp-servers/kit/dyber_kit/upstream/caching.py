"""Gives asynchronous functions a cache, and lets concurrent equal calls share one execution."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from dyber_kit.upstream.cache import Cache

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def cached(
    cache: Cache | Callable[[Any], Cache],
    *,
    seconds: float | Callable[[Any], float],
    vary: Callable[..., str] | None = None,
) -> Callable[[Callable[Arguments, Awaitable[Result]]], Callable[Arguments, Awaitable[Result]]]:
    """Return a decorator that caches the results of an asynchronous function by its arguments.

    Concurrent calls with equal arguments share one execution. Errors are raised for all of them and never cached, nor
    is None. Every caller gets a copy of its own. The function needs a return type that Pydantic can read from JSON: a
    model, a list of models, a number, a text.

    On a method, pass functions of the instance: `@cached(lambda self: self.cache, seconds=lambda self: self.seconds)`;
    the instance is then no part of the key.

    Args:
        cache: The cache, or a function of the instance that returns it.
        seconds: How long a result is cached, or a function of the instance; 0 shares executions only.
        vary: Returns what else results depend on, such as the account; it gets the arguments of the call.

    Raises:
        TypeError: The function is not asynchronous, or has no return type.
    """
    is_method = not isinstance(cache, Cache)

    def decorate(function: Callable[Arguments, Awaitable[Result]]) -> Callable[Arguments, Awaitable[Result]]:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function.__qualname__} is not asynchronous")
        signature = inspect.signature(function)
        if signature.return_annotation is inspect.Signature.empty:
            raise TypeError(f"{function.__qualname__} has no return type")
        name = f"{function.__module__}.{function.__qualname__}"

        @functools.cache
        def shape() -> TypeAdapter[Result]:
            # The types of a module are complete only after it is imported.
            return TypeAdapter(get_type_hints(function)["return"])

        def key_of(*args: Arguments.args, **kwargs: Arguments.kwargs) -> str:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            values = list(bound.arguments.items())[1 if is_method else 0 :]
            varied = vary(*args, **kwargs) if vary else ""
            return f"{name}:{to_json([values, varied]).decode()}"

        @functools.wraps(function)
        async def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            async def load() -> Any:
                return shape().dump_python(await function(*args, **kwargs), mode="json", round_trip=True)

            def read(value: Any) -> Result:
                # Models may have other names for their fields in the platform's JSON than in the cache.
                return shape().validate_json(to_json(value), by_alias=False, by_name=True)

            store = cache if isinstance(cache, Cache) else cache(args[0])
            ttl = seconds(args[0]) if callable(seconds) else seconds
            key = key_of(*args, **kwargs)
            value = await store.get_or_load(key, ttl, load)
            try:
                return read(value)
            except ValidationError:
                # The value is that of another release, whose model was different.
                value = await load()
                await store.set(key, value, ttl)
                return read(value)

        return call

    return decorate
