"""What the threads of a run do: carry out orders."""

from __future__ import annotations

import time
from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING

from modeldeps.errors import BrokenTransferError, DigestError, ModelDepsError, RefusedError, SourceError
from modeldeps.fetch._orders import Order, can_be_small, is_short, short_for, small_for
from modeldeps.fetch._pace import SlowError
from modeldeps.fetch._retry import OtherSizeError
from modeldeps.fetch._task import State
from modeldeps.fetch._transport import Request
from modeldeps.store import Line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modeldeps.fetch._run import Run
    from modeldeps.fetch._task import Place, Task
    from modeldeps.fetch._transport import Body
    from modeldeps.store import Claim


def work(run: Run) -> None:
    """Carry out orders until there are no more."""
    try:
        while (order := run.next_order()) is not None:
            _carry_out(run, order)
    except BaseException as error:  # noqa: BLE001 - it is raised by the thread that waits for the run
        with run.turn:
            run.stop(error)


def work_once(run: Run) -> None:
    """Carry out one order, if there is one now: where no thread can be had, the calling one does it."""
    order = run.order_now()
    if order is not None:
        _carry_out(run, order)


def _carry_out(run: Run, order: Order) -> None:
    if order.place is None:
        run.prepare(order.task)
        return
    try:
        if order.task.is_small or is_short(order):
            order.task.together = True
            _bring_small(run, order)
        else:
            _Delivery(run, order).bring()
    finally:
        with run.turn:
            order.place.host.active -= 1
            run.turn.notify()


def _bring_small(run: Run, first: Order) -> None:
    """Bring small files, or short ranges of one, over one connection; several are on the way at once."""
    line = Line(time.monotonic())
    orders: deque[_Delivery] = deque([_Delivery(run, first, line)])
    url = first.place.url if first.place else ""
    requests = _requests(run, first, orders, line)
    orders[0].begin()
    try:
        with closing(_open_each(run, url, requests)) as answers:  # type: ignore[type-var]
            for answer in answers:
                one = orders.popleft()
                one.receive(answer, orders)
                if run.stopped or one.brought_all:
                    return
                if orders:
                    orders[0].begin()
    finally:
        for one in orders:
            one.give_back()


def _open_each(run: Run, url: str, requests: Iterator[Request]) -> Iterator[Body | SourceError]:
    """Yield an answer for each request; a refusal where there is no transport for such a URL."""
    try:
        found = run.opener(url)
    except SourceError as error:
        yield from (error for _ in requests)
        return
    yield from found.open_each(requests)


def _requests(run: Run, first: Order, orders: deque[_Delivery], line: Line) -> Iterator[Request]:
    """Ask for one small file, or short range, after another, as long as the source does well."""
    yield orders[0].request
    place, is_small = first.place, first.task.is_small
    assert place is not None  # noqa: S101 - such an order does not come here
    while True:
        with run.turn:
            rests = place.host.rests_until > time.monotonic()
            fine = not (run.stopped or rests) and place.why_not() is None and place.round == first.round
            order = _next_for(run, first.task, place, is_small=is_small) if fine else None
        if order is None:
            return
        order.task.together = True
        orders.append(_Delivery(run, order, line))
        yield orders[-1].request


def _next_for(run: Run, task: Task, place: Place, *, is_small: bool) -> Order | None:
    return small_for(run.active, place) if is_small else short_for(task, place)


class _Delivery:
    """One order on its way."""

    def __init__(self, run: Run, order: Order, line: Line | None = None) -> None:
        assert order.place is not None  # noqa: S101 - such an order does not come here
        self._run = run
        self._task = order.task
        self._place = order.place
        self._claims = order.claims
        for claim in order.claims:
            claim.line = line
        self._line = line
        self._round = order.round
        self._came = 0
        self._gained = 0
        self._began = 0.0
        self._over = False
        self.brought_all = False
        """A range was asked for, and everything came."""
        self.request = self._request()
        """What is to be asked for."""

    def _request(self) -> Request:
        start, end = self._claims[0].position, self._claims[-1].end
        if self._place.host.ranged is False:
            return Request(self._place.url, leash=self._run.leash)
        return Request(
            self._place.url, start, end if end < self._task.file.size else None, leash=self._run.leash
        )

    def bring(self) -> None:
        """Ask, and take what comes."""
        self.begin()
        try:
            answer: Body | SourceError = self._run.opener(self._place.url).open(self.request)
        except SourceError as error:
            answer = error
        self.receive(answer)

    def receive(self, answer: Body | SourceError, others: Iterable[_Delivery] = ()) -> None:
        """
        Take an answer, and draw the consequences.

        `others` were asked for behind it; they are given back where it brings all, as theirs would.
        """
        error: Exception | None = None
        self.begin()
        try:
            if isinstance(answer, SourceError):
                raise answer
            with answer as body:
                self._head(body)
                if self.brought_all:
                    for one in others:
                        one.give_back()
                    self._take_over()
                self._take(body)
        except (SourceError, DigestError) as caught:
            error = caught
        except OSError as caught:
            error = self._disk(caught)
        finally:
            self.give_back(error)

    def begin(self) -> None:
        """Let others take over what does not come from now on, unless it is a part of more."""
        if not self._began and len(self._claims) == 1:
            self._claims[0].begin(time.monotonic())
        self._began = self._began or time.monotonic()

    def _disk(self, error: OSError) -> Exception:
        try:
            with self._run.store.writing(self._task.file.size):
                raise error
        except ModelDepsError as told:
            return told

    def give_back(self, error: Exception | None = None) -> None:
        """Give back what did not come, and tell why. Safe to call twice."""
        if self._over:
            return
        self._over = True
        run, task = self._run, self._task
        with run.turn:
            self._place.moved.pop(self, None)
            if error is not None and not run.stopped:
                run.failed(task, self._place, error, began=self._round, gained=self._gained)
            elif error is None and self._came:
                self._place.patience.failures = 0
                self._place.host.ended(self._came, time.monotonic() - self._began)
            for claim in self._claims:  # only now may others have them: a liar is known as one
                claim.release()
            if task.state is State.COMING:
                task.state, task.is_small = State.READY, can_be_small(task)
            run.check_full(task)
            if error is not None:
                run.wake()

    def _head(self, body: Body) -> None:
        """Look at what comes before it does. Raises RefusedError."""
        host, size, asked = self._place.host, self._task.file.size, self.request
        if body.size not in (None, size):
            raise OtherSizeError(self._place.url, body.size or 0, size)
        with self._run.turn:
            ranged = bool(asked.start) or asked.end is not None
            self.brought_all = ranged and (body.start, body.end) != (asked.start, asked.end or body.end)
            if ranged:
                host.ranged = not self.brought_all
            before = host.limit
            host.hear(body)
            if host.limit != before:
                self._run.wake()

    def _take_over(self) -> None:
        """Take all that nobody brings: the source sends everything anyhow."""
        for claim in self._claims:
            claim.release()
        self._claims = tuple(self._claims[0].landing.take_all())

    def _take(self, body: Body) -> None:
        """Write what comes. Raises SourceError where it is not all; DigestError; OSError."""
        queue = deque(self._claims)
        for claim in queue:
            claim.source = self._place.url
        at = body.start
        for block in body.blocks if queue else ():
            if self._run.stopped:
                return
            self._count(len(block))
            if self._line is not None:
                self._line.move(time.monotonic())
            queue[0].defers = self._place.host.outruns_hashing
            self._bound(at + len(block))
            self._gain(_hand_out(memoryview(block), at, queue))
            at += len(block)
            if not queue:
                return
        if queue:
            self._ended()

    def _gain(self, count: int) -> None:
        """Count bytes that were missing."""
        if count:
            self._gained += count
            self._place.moved[self] = time.monotonic()

    def _ended(self) -> None:
        """Say that too little came. Raises BrokenTransferError."""
        file = self._task.file
        position = next((one.position for one in self._claims if not one.is_done), file.size)
        if position < file.size:
            raise BrokenTransferError(self._place.url, f"it ended after {position} of {file.size} bytes")

    def _bound(self, end: int) -> None:
        size = self._task.file.size
        if end > size:
            raise RefusedError(self._place.url, f"it sends more than the {size} bytes that the manifest says")

    def _count(self, count: int) -> None:
        self._came += count
        with self._run.turn:
            self._task.travelled += count
            host, before = self._place.host, self._place.host.limit
            host.count(count)
            if host.limit != before:
                self._run.wake()
            slow = host.is_slow() and self._task.has_other(self._place)
        if slow:
            raise SlowError(self._place.url)


def _hand_out(view: memoryview, at: int, queue: deque[Claim]) -> int:
    """Write of a block what the first claims want; return how much. Those that are done leave the queue."""
    gained = 0
    while queue:
        claim = queue[0]
        if claim.is_done:
            queue.popleft()
            continue
        skip = claim.position - at
        if skip >= len(view):
            break
        used = claim.write(view[skip:])
        gained += used
        claim.moved = time.monotonic()
        view, at = view[skip + used :], at + skip + used
        if not claim.is_done:
            break
    return gained
