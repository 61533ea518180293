"""A connection with several requests on the way; the answers are handed out in the order of the requests."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass, field, record
from modeldeps.errors import SourceError
from modeldeps.fetch import _reasons
from modeldeps.fetch._answer import judge
from modeldeps.fetch._head import WireError
from modeldeps.fetch._redirects import STATUSES
from modeldeps.fetch._transport import Body

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modeldeps.fetch._client import Asked
    from modeldeps.fetch._each import Each
    from modeldeps.fetch._head import Head
    from modeldeps.fetch._redirects import Hop
    from modeldeps.fetch._route import Route
    from modeldeps.fetch._transport import Block, Request

_PART = 206
_BAD = 400


@dataclass(frozen=True)
class Step:
    """A request that is ready to be sent."""

    request: Request
    """What was asked for."""
    hop: Hop
    """Where it is asked for now."""
    asked: Asked
    """The same in the words of HTTP."""


@record
class Waiting:
    """Requests that have no answer yet, the next first."""

    source: Iterator[Request]
    """Those that nobody looked at yet."""
    ready: deque[Request] = field(default_factory=deque)
    """Those that were taken from it."""

    def peek(self) -> Request | None:
        """Return the next one, or None at the end."""
        if not self.ready and (found := next(self.source, None)) is not None:
            self.ready.append(found)
        return self.ready[0] if self.ready else None

    def pop(self) -> Request:
        """Take the next one, which `peek` has shown."""
        return self.ready.popleft()

    def put_back(self, steps: Iterable[Step]) -> None:
        """Let some be the next again, in their order."""
        self.ready.extendleft(step.request for step in reversed([*steps]))


class Session:
    """What a pipeline and a multiplex have in common; any doubt ends it, and the rest is asked elsewhere."""

    def __init__(self, route: Route, *, used: bool) -> None:
        self.route = route
        """Where it leads; nothing that goes elsewhere may be asked on it."""
        self.answered = 0
        """Answers that it brought."""
        self.failed = False
        """It ended where it should not have."""
        self.used = used
        """It was used before, so that its end may have nothing to do with what is asked now."""
        self.alone = False
        """The server does not do well with several requests at once."""
        self.round_trip: float | None = None
        """Seconds from the first request to its answer."""
        self.asked: deque[Step] = deque()
        """What is on the way."""
        self._moved: list[Step] = []
        self._current: Head | None = None
        self._began = 0.0

    @property
    def window(self) -> int:
        """Requests on the way, at most."""
        raise NotImplementedError

    @property
    def few(self) -> int:
        """Requests on the way at which more are sent."""
        return self.window // 2

    def send(self, steps: list[Step]) -> None:
        """Send requests. Raises OSError, WireError."""
        raise NotImplementedError

    def head(self) -> Head:
        """Return the head of the answer to the first that is on the way. Raises OSError, WireError."""
        raise NotImplementedError

    def blocks(self, head: Head) -> Iterator[Block]:
        """Yield the body of the answer whose head came last. Raises OSError, WireError."""
        raise NotImplementedError

    def leave(self, head: Head) -> None:
        """Close the body of the answer whose head came last."""
        raise NotImplementedError

    def goes_on(self, head: Head) -> bool:
        """Come to the next answer; False where there is no way to it."""
        raise NotImplementedError

    def end(self, each: Each) -> None:
        """Keep the connection, or let go of it."""
        raise NotImplementedError

    def run(self, each: Each, waiting: Waiting) -> Iterator[Body | SourceError]:
        """Answer what goes to the same route; what has no answer at the end is put back."""
        try:
            while self._ask_on(each, waiting) and (head := self._next_head()):
                found = self._redirected(each, head) if head.status in STATUSES else self._answer(each, head)
                if found is not None:
                    if self._moved:
                        return
                    self.asked.popleft()
                    self.answered += 1
                    yield found
                elif self.alone:
                    return
                self._current = None
                if not self.goes_on(head):
                    return
        finally:
            self.end(each)
            waiting.put_back([*self._moved, *self.asked])
            self._moved.clear()
            self.asked.clear()

    def _ask_on(self, each: Each, waiting: Waiting) -> bool:
        """Send more where few are on the way; False where none is, or none can be sent."""
        fresh: list[Step] = []
        few = not self._moved and len(self.asked) <= self.few
        while few and len(self.asked) + len(fresh) < self.window:
            request = waiting.peek()
            step = each.prepare(request) if request else None
            if not isinstance(step, Step) or step.asked.route != self.route:
                break
            waiting.pop()
            fresh.append(step)
        self._began = self._began or time.monotonic()
        self.asked.extend(fresh)
        return bool(self.asked) and (not fresh or self._sent(fresh))

    def _sent(self, steps: list[Step]) -> bool:
        try:
            self.send(steps)
        except (OSError, WireError, ValueError):
            self.failed = True
        return not self.failed

    def _next_head(self) -> Head | None:
        """Return the head of the next answer, or None where there is none that can be trusted."""
        try:
            head = self.head()
        except (OSError, WireError, ValueError):
            self.failed = True
            return None
        if self.round_trip is None:
            self.round_trip = time.monotonic() - self._began
        return head

    def _redirected(self, each: Each, head: Head) -> SourceError | None:
        """Learn where the first on the way is to be asked for; those behind it are heard before."""
        step = self.asked[0]
        try:
            each.redirects.learn(step.request.url, step.hop.to(head.get("location")))
        except SourceError as error:
            return error
        self._moved.append(self.asked.popleft())
        self.answered += 1
        return None

    def _answer(self, each: Each, head: Head) -> Body | SourceError | None:
        """Return what the head means; None where the answer may be another request's."""
        step = self.asked[0]
        try:
            answer = judge(head, step.asked.url, step.request, sent=step.asked.sent)
        except SourceError as error:
            if head.status == _PART:
                self.alone = True
                return None
            if step.hop.steps and head.status >= _BAD and not self._moved:  # it may have expired
                each.redirects.forget(step.request.url)
                return each.one(step.request)
            return error
        self._current = head
        return Body(
            answer.start,
            answer.size,
            answer.blocks(self._raw(head, step.asked.url)),
            close=lambda: self._close(head),
            round_trip=self.round_trip,
            end=answer.end,
        )

    def _close(self, head: Head) -> None:
        """Close a body, once: a later call must not touch the next one."""
        if head is self._current:
            self._current = None
            self.leave(head)

    def _raw(self, head: Head, url: str) -> Iterator[Block]:
        try:
            yield from self.blocks(head)
        except (OSError, WireError, ValueError) as error:
            self.failed = True
            raise _reasons.failure(url, error) from None
