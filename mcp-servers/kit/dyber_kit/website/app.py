"""Builds the parts that every service with a browser is made of, and its application.

    website = Website(PLATFORM, LOGIN, "1.0.0", settings, config)
    accounts = Accounts(website.pages, website.logins, reader.visitor, LoginStatus, LoginCode)
    return website.app(title="示例 MCP", instructions="…", tools=site_tools(reader, accounts))

The parts start and stop with the application.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from dyber_kit.browser.login_steps import LoginPage
from dyber_kit.browser.logins import Logins
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.platform_settings import PlatformSettings
from dyber_kit.browser.platforms import Platform
from dyber_kit.browser.pool import BrowserPool, BrowserSettings
from dyber_kit.browser.sessions import SessionStore
from dyber_kit.calling.completions import CompletionDeclaration
from dyber_kit.calling.prompts import PromptDeclaration
from dyber_kit.calling.resources import ResourceDeclaration
from dyber_kit.calling.tools import ToolDeclaration
from dyber_kit.observing.metrics import Metrics
from dyber_kit.serving.app import ServiceApp, create_app
from dyber_kit.serving.rest import RestRoute
from dyber_kit.settings import Settings
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.privacy import Privacy
from dyber_kit.upstream.shared_limits import SharedLimits
from dyber_kit.website.links import ShortLinkForm, ShortLinks

Stop = Callable[[], Awaitable[None]]


class Website:
    """Holds the parts of a service that reads a website in a browser.

    Args:
        platform: The platform; its name is that of the service.
        login: The page that logs accounts in.
        version: The version of the service.
        settings: The settings of the process.
        config: The address of the site, its accounts and the pace.
        browser_settings: How the browser is started; by default as the environment says.
        caches_in_redis: Whether answers may be cached in Redis; else they are cached in this process.

    Attributes:
        metrics: The service's metrics.
        browser: The browser.
        shared: The limits that all replicas share, or None.
        pages: Opens pages.
        logins: Gets QR codes.
        cache: Keeps answers.
        privacy: Hides users in privacy mode.
    """

    def __init__(
        self,
        platform: Platform,
        login: LoginPage,
        version: str,
        settings: Settings,
        config: PlatformSettings,
        browser_settings: BrowserSettings | None = None,
        *,
        caches_in_redis: bool = True,
    ) -> None:
        name = platform.name
        sessions = SessionStore(settings.data_dir) if settings.data_dir else None
        self.settings = settings
        self.metrics = Metrics(name)
        self.browser = BrowserPool(browser_settings or BrowserSettings.from_environment(), sessions, self.metrics)
        self.shared = SharedLimits.from_environment(name, metrics=self.metrics)
        self.pages = Pages(platform, self.browser, sessions, config, settings.data_dir, self.metrics, self.shared)
        self.logins = Logins(self.pages, login)
        make_cache = Cache.from_environment if caches_in_redis else Cache
        self.cache = make_cache(name, version, metrics=self.metrics)
        self.privacy = Privacy.create(settings.privacy, settings.data_dir)
        self._version = version
        self._stops: list[Stop] = [self.logins.cancel]

    def short_links(self, form: ShortLinkForm, keep_seconds: float, *, in_turns: bool = True) -> ShortLinks:
        """Return what follows the platform's short links until the service stops.

        Args:
            form: Tells which links are short links.
            keep_seconds: Longest time for which a target is kept.
            in_turns: Whether each new link takes a turn of the account, like a page.
        """
        pages = self.pages if in_turns else None
        walls = self.pages.platform.walls
        links = ShortLinks(form, walls, self.cache, pages, keep_seconds=keep_seconds, metrics=self.metrics)
        self.on_stop(links.close)
        return links

    def on_stop(self, stop: Stop) -> None:
        """Call `stop` when the service stops, after pending logins and before the cache is closed."""
        self._stops.append(stop)

    def app(
        self,
        *,
        title: str,
        instructions: str,
        tools: Sequence[ToolDeclaration],
        prompts: Sequence[PromptDeclaration] = (),
        resources: Sequence[ResourceDeclaration] = (),
        completions: Sequence[CompletionDeclaration] = (),
        rest: Sequence[RestRoute] = (),
    ) -> ServiceApp:
        """Return the service's application; see `create_app` for the arguments."""
        return create_app(
            name=self.pages.platform.name,
            title=title,
            version=self._version,
            instructions=instructions,
            tools=tools,
            prompts=prompts,
            resources=resources,
            completions=completions,
            accounts=self.pages.settings.accounts,
            rest=rest,
            lifespan=self._running,
            ready=self.browser.problem,
            details=self.browser.about,
            settings=self.settings,
            metrics=self.metrics,
        )

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        async with self.browser.running():
            try:
                yield
            finally:
                for stop in self._stops:
                    await stop()
                await self.cache.close()
                if self.shared:
                    await self.shared.close()
