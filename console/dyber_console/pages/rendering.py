"""Renders templates: with the texts, the parts, the icons that a page uses, and the frame around it."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from dyber_console.identity.sessions import Session
from dyber_console.intake.live import STATUS_STALE
from dyber_console.language import language, tr, tr_html, tr_plural
from dyber_console.pages.frame import Frame, frame
from dyber_console.pages.parts import charts, wording
from dyber_console.pages.parts.assets import Assets
from dyber_console.settings import BASE
from dyber_console.state import Console
from dyber_console.tools.calling import is_read_only
from dyber_console.verdicts import times
from dyber_console.verdicts.codes import meaning
from dyber_console.verdicts.rules import Grade

_ICON = re.compile(r'href="#((?:[is]-[a-z]+)|mark)"')
_SYMBOL = re.compile(r'<symbol id="([^"]+)".*?</symbol>')
_PLACE_OF_ICONS = "<!-- icons -->"


class Renderer:
    """Renders the pages of a console."""

    def __init__(self, console: Console, assets: Assets) -> None:
        self._console = console
        self._icons = {found[1]: found[0] for found in _SYMBOL.finditer(_icons())}
        self._environment = Environment(
            loader=PackageLoader("dyber_console.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["whole_duration"] = times.whole_duration
        self._environment.tests["writes_tool"] = lambda tool: not is_read_only(tool)
        self._environment.globals.update(
            BASE=BASE,
            STATUS_STALE=STATUS_STALE,
            Grade=Grade,
            ages=wording.ages,
            asset=assets.url,
            tr=tr,
            tr_html=tr_html,
            tr_plural=tr_plural,
            language=language,
            meaning=meaning,
            clock=times.clock,
            full=times.full,
            ago=times.ago,
            duration=times.duration,
            countdown=times.countdown,
            took=times.took,
            about=times.about,
            local=times.local,
            number=wording.number,
            percent=wording.percent,
            size=wording.size,
            untrusted=wording.untrusted,
            with_insertions=wording.with_insertions,
            tile_text=wording.tile_text,
            tone=wording.tone,
            result_icon=wording.result_icon,
            outcome_word=wording.outcome_word,
            logarithmic_share=charts.logarithmic_share,
        )

        # Read now, so that the first page is not slower than others.
        for name in self._environment.list_templates():
            self._environment.get_template(name)

    def page(self, request: Request, template: str, page: str, status: int = 200, **context: Any) -> HTMLResponse:
        """Return a page with its frame; `page` names its place in the navigation."""
        session: Session = request.state.session
        view: Frame = context.pop("frame", None) or frame(self._console)
        return self._answer(
            request,
            template,
            status,
            page=page,
            frame=view,
            csrf=session.csrf,
            stack=self._console.settings.stack,
            **context,
        )

    def bare(self, request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """Return a page without a frame, for visitors who are not signed in."""
        return self._answer(request, template, status, stack=self._console.settings.stack, csrf="", **context)

    def _answer(self, request: Request, template: str, status: int, **context: Any) -> HTMLResponse:
        text = self._environment.get_template(template).render(
            now=self._console.live.clock(),
            theme=request.state.theme,
            here=str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
            **context,
        )
        used = sorted(set(_ICON.findall(text)))
        symbols = "".join(self._icons[name] for name in used)
        return HTMLResponse(text.replace(_PLACE_OF_ICONS, symbols, 1), status)


def _icons() -> str:
    return files("dyber_console.pages").joinpath("icons.svg").read_text(encoding="utf-8")
