"""Serves the gRPC service pulumirpc.LanguageRuntime."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from . import VERSION, dependencies, plugin_process, program_process, projects
from .children import Children

# The engine has the same limit; a message may hold the state of a whole stack.
MESSAGE_BYTES = 400 * 1024 * 1024
OPTIONS = [("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.max_send_message_length", MESSAGE_BYTES)]

Result = TypeVar("Result")


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The language host of an engine run. The base class answers UNIMPLEMENTED to all other calls."""

    def __init__(self, engine_address: str) -> None:
        self._engine_address = engine_address
        self.children = Children()

    def Handshake(
        self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        self._engine_address = request.engine_address or self._engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    def RuntimeOptionsPrompts(
        self, request: language_pb2.RuntimeOptionsRequest, context: grpc.ServicerContext
    ) -> language_pb2.RuntimeOptionsResponse:
        return language_pb2.RuntimeOptionsResponse()

    def Template(
        self, request: language_pb2.TemplateRequest, context: grpc.ServicerContext
    ) -> language_pb2.TemplateResponse:
        return language_pb2.TemplateResponse()

    def About(self, request: language_pb2.AboutRequest, context: grpc.ServicerContext) -> language_pb2.AboutResponse:
        about = _or_abort(context, projects.about, request.info)
        return language_pb2.AboutResponse(metadata={"toolchain": "pip"}, **about)

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        packages = _or_abort(context, projects.installed_packages, request.info)
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=name, version=version) for name, version in packages]
        )

    def GetRequiredPlugins(
        self, request: language_pb2.GetRequiredPluginsRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPluginsResponse:
        plugins = _or_abort(context, projects.required_plugins, request.info)
        return language_pb2.GetRequiredPluginsResponse(
            plugins=[plugin_pb2.PluginDependency(**plugin) for plugin in plugins]
        )

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        plugins = _or_abort(context, projects.required_plugins, request.info)
        return language_pb2.GetRequiredPackagesResponse(
            packages=[plugin_pb2.PackageDependency(**plugin) for plugin in plugins]
        )

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        try:
            for output in dependencies.install(request, self.children):
                yield language_pb2.InstallDependenciesResponse(stdout=output)
        except projects.ProjectError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> language_pb2.RunResponse:
        context.add_callback(self.children.stop)
        try:
            return program_process.run(request, self._engine_address, self.children)
        except projects.ProjectError as error:
            return language_pb2.RunResponse(error=str(error))

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        try:
            yield from plugin_process.run(request, self.children, context)
        except projects.ProjectError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.children.stop()
        return empty_pb2.Empty()


def _or_abort(
    context: grpc.ServicerContext,
    function: Callable[[language_pb2.ProgramInfo], Result],
    info: language_pb2.ProgramInfo,
) -> Result:
    try:
        return function(info)
    except projects.ProjectError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))


def serve(arguments: list[str]) -> int:
    """Serve until SIGINT, SIGTERM or the end of the engine. The engine's address is the last argument."""
    host = LanguageHost(arguments[-1] if arguments and not arguments[-1].startswith("-") else "")
    server = grpc.server(ThreadPoolExecutor(max_workers=16), options=OPTIONS)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    engine_process = os.getppid()
    print(port, flush=True)

    while not done.wait(1.0):
        if os.getppid() != engine_process:  # the engine ended without a signal
            break
    host.children.stop()
    server.stop(0.2).wait(1)
    host.children.stop(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    return 0
