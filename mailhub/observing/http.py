"""The administration listener: ``/livez``, ``/readyz`` and ``/metrics`` over HTTP.

One process of the server has it and asks all others.  It tells nothing that is
secret and changes nothing; it listens on this machine only, unless it is told
otherwise, as it also asks for no password.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from . import process
from .exposition import content_type, render
from .health import Checks, together
from .merging import Figures, Totals
from .samples import Samples, put

#: Seconds that a connection may be silent.
PATIENCE = 30
_PLAIN = "text/plain; charset=utf-8"
#: What the process is called that serves no mail itself, where there is one.
MASTER = "master"

log = Logger()


class Asks(Protocol):
    """The way to all processes that serve mail."""

    @property
    def workers(self) -> Mapping[str, int]:
        """All that there should be, and how often each was started anew."""

    async def ask_all(self, question: str) -> Mapping[str, dict[str, Any]]:
        """The answers, by worker; who says nothing in time is missing."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a client gets."""

    text: bytes
    code: int = 200
    type: str = _PLAIN


#: Makes a page for a request.
Composer = Callable[[Request], Awaitable[Page]]


class Pages:
    """The pages, without HTTP.

    :ivar is_draining: the server is about to stop: it is not ready any more, while
        all else goes on.
    """

    def __init__(self, asks: Asks) -> None:
        self.is_draining = False
        self._asks = asks
        self._totals = Totals()

    async def live(self, request: Request) -> Page:
        """Whoever can answer is alive."""
        return Page(b"ok\n")

    async def ready(self, request: Request) -> Page:
        """Whether new clients should come, as Kubernetes asks it.

        All checks are told where one fails, or with ``?verbose``.
        """
        if self.is_draining:
            return Page(_told({"drain": "the server is stopping"}, False), 503)
        heard = await self._asks.ask_all("health")
        checks = together(
            {worker: answer["checks"] for worker, answer in heard.items()},
            len(self._asks.workers),
        )
        is_ready = not any(checks.values())
        if is_ready and not _is_asked_for(b"verbose", request):
            return Page(b"ok\n")
        return Page(_told(checks, is_ready), 200 if is_ready else 503)

    async def metrics(self, request: Request) -> Page:
        """All figures, for Prometheus."""
        form = content_type(request.getHeader("accept") or "")
        return Page(render(await self.figures(), form), type=form)

    async def figures(self) -> Figures:
        """Those of all processes together, and those of the processes as such."""
        heard = await self._asks.ask_all("samples")
        answers = {
            worker: (answer["pid"], answer["samples"])
            for worker, answer in heard.items()
        }
        if os.getpid() not in {pid for pid, _ in answers.values()}:
            own: Samples = {}
            for name, value in process.figures().items():
                put(own, name, value)
            answers[MASTER] = os.getpid(), own
        figures = self._totals.combine(answers)
        workers = self._asks.workers
        figures["mailhub_worker_up"] = {
            (worker,): int(worker in heard) for worker in workers
        }
        figures["mailhub_worker_restarts_total"] = {
            (worker,): restarts for worker, restarts in workers.items()
        }
        return figures


def _is_asked_for(word: bytes, request: Request) -> bool:
    """Whether *word* stands in the query, with or without a value."""
    query = request.uri.partition(b"?")[2]
    return any(each.partition(b"=")[0] == word for each in query.split(b"&"))


def _told(checks: Checks, is_ready: bool) -> bytes:
    lines = [
        f"[-]{name} failed: {fault}" if fault else f"[+]{name} ok"
        for name, fault in checks.items()
    ]
    lines.append(f"readyz check {'passed' if is_ready else 'failed'}")
    return "".join(f"{line}\n" for line in lines).encode()


def site(pages: Pages, reactor: Any) -> Site:
    """What listens."""
    root = Resource()
    for path, compose in (
        (b"livez", pages.live),
        (b"readyz", pages.ready),
        (b"metrics", pages.metrics),
    ):
        root.putChild(path, _Leaf(compose))
    made = _QuietSite(
        root,
        requestFactory=_BodilessRequest,
        timeout=PATIENCE,
        reactor=reactor,
    )
    made.noisy = False
    return made


class _Leaf(Resource):
    """A page at its address."""

    isLeaf = True

    def __init__(self, compose: Composer) -> None:
        super().__init__()
        self._compose = compose

    def render_GET(self, request: Request) -> int:
        """Answer now or later; not at all where nobody waits any more."""
        task = Deferred.fromCoroutine(self._answer(request))
        request.notifyFinish().addErrback(lambda failure: task.cancel())
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> None:
        try:
            page = await self._compose(request)
        except CancelledError:
            return
        except Exception:
            log.failure("{path!r} cannot be told", path=request.path)
            page = Page(b"This cannot be told now; the log says why.\n", 500)
        request.setResponseCode(page.code)
        for name, value in (
            ("Server", "mailhub"),
            ("Content-Type", page.type),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            request.setHeader(name, value)
        request.write(page.text)
        request.finish()


class _BodilessRequest(Request):
    """A request whose body is thrown away: nothing here wants one."""

    def handleContentChunk(self, data: bytes) -> None:
        """Keep nothing (attack: a body that fills memory or disk)."""


class _QuietSite(Site):
    """A site without an access log, and without the timer that dates its lines."""

    def startFactory(self) -> None:
        """Begin; there is nothing to prepare."""

    def stopFactory(self) -> None:
        """End."""

    def log(self, request: HTTPRequest) -> None:
        """A scrape every few seconds is no news."""
