"""Choose what a thread does next: a pure look at what is open, what is missing and who may be asked."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from modeldeps._frozen import record
from modeldeps.fetch._host import LEAST
from modeldeps.fetch._task import Place, State, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeldeps.store import Claim, Landing

SEGMENT = 16 << 20
"""Bytes that one request asks for, about."""
SMALL = 1 << 20
"""Bytes of a file that is asked for together with others."""
SHORT = 1 << 18
"""Bytes of a range of a larger file that is asked for together with others of that file."""
SMALL_CONNECTIONS = 8
"""Connections that bring small files, many on the way over each."""
IDLE = 1.0
"""Seconds until a thread looks again, if nobody wakes it."""


@record
class Order:
    """What one thread is to do."""

    task: Task
    """The file, or the first of several."""
    place: Place | None = None
    """Where to ask; None: look at what is here already."""
    claims: tuple[Claim, ...] = ()
    """What to bring, in order."""
    round: int = 0
    """How often the place had failed when this began."""


def choose(active: Sequence[Task], now: float) -> tuple[Order | None, float]:
    """Return an order, or the seconds after which there may be one."""
    pause = IDLE
    asked: list[tuple[Task, Place]] = []
    for task in active:
        if task.state is State.NEW:
            task.state = State.LOOKING
            return Order(task), 0.0
        place = task.place() if task.state is State.READY else None
        if place is None or place.host.active >= _limit(task, place):
            continue
        if place.host.rests_until > now:
            pause = min(pause, place.host.rests_until - now)
            continue
        order = order_for(task, place)
        if order is not None:
            return _connected(order), 0.0
        asked.append((task, place))
    orders = chain((_half(*one) for one in asked), (_late(one, now) for one in active))
    left = next(filter(None, orders), None)
    return (_connected(left) if left else None), pause


def _connected(order: Order) -> Order:
    """Count the connection that an order is going to use; whoever carries it out gives it back."""
    if order.place is not None:
        order.place.host.ask()
    return order


def has_room(task: Task) -> bool:
    """Tell whether one more connection may be made for a file."""
    place = task.place()
    return place is not None and place.host.active < _limit(task, place)


def connections(active: Sequence[Task]) -> int:
    """Return to how many connections files may come, from all sources together."""
    most: dict[int, int] = {}
    for task in active:
        for place in task.places:
            most[id(place.host)] = max(most.get(id(place.host), 0), _limit(task, place))
    return sum(most.values())


def _limit(task: Task, place: Place) -> int:
    return min(place.host.limit, SMALL_CONNECTIONS) if task.is_small else place.host.limit


def order_for(task: Task, place: Place) -> Order | None:
    """Return an order for what nobody brings yet of a file."""
    landing = _landing(task)
    if task.is_small:
        task.state = State.COMING
    if place.host.ranged is False:
        claims = tuple(landing.take_all())
    else:
        claim = landing.take(_segment(landing, place))
        claims = (claim,) if claim else ()
    return _order(task, place, claims) if claims else None


def small_for(active: Sequence[Task], place: Place) -> Order | None:
    """Return an order for the next small file from the same source, for a connection that there is."""
    for task in active:
        if task.state is State.READY and task.is_small:
            found = task.place()
            if found is not None and found.host is place.host and (order := order_for(task, found)):
                return order
    return None


def is_short(order: Order) -> bool:
    """Tell whether an order is for one of many short ranges, as a new version lacks them."""
    task, place = order.task, order.place
    fit = place is not None and place.host.ranged and len(order.claims) == 1 and not task.alone
    return bool(fit) and order.claims[0].end - order.claims[0].position <= SHORT < task.file.size


def short_for(task: Task, place: Place) -> Order | None:
    """Return an order for the next range of a file if it is short, for a connection that there is."""
    if task.state is not State.READY or task.alone or not place.host.ranged:
        return None
    claim = _landing(task).take_short(SHORT)
    return _order(task, place, (claim,)) if claim else None


def can_be_small(task: Task) -> bool:
    """Tell whether a file may be asked for together with others: it is short, and all of it is missing."""
    return task.file.size <= SMALL and not task.alone and _landing(task).kept == 0


def _late(task: Task, now: float) -> Order | None:
    """Return an order for what another thread hardly brings: its connection may be dead."""
    place = task.place() if task.state in (State.READY, State.COMING) else None
    if place is None or place.host.ranged is False or not place.host.is_free(now):
        return None
    claim = _landing(task).overtake(place.host.is_late)
    return _order(task, place, (claim,)) if claim else None


def _half(task: Task, place: Place) -> Order | None:
    """Return an order for half of what another thread is still to bring."""
    worth = place.host.worth() if place.host.ranged else None
    claim = _landing(task).split(worth) if worth is not None else None
    return _order(task, place, (claim,)) if claim else None


def _order(task: Task, place: Place, claims: tuple[Claim, ...]) -> Order:
    return Order(task, place, claims, place.round)


def _segment(landing: Landing, place: Place) -> int:
    """Return how much to ask for at once: less towards the end, so that all connections end together."""
    left = landing.file.size - landing.kept
    return max(LEAST, min(SEGMENT, left if left <= SEGMENT else left // (2 * place.host.limit)))


def _landing(task: Task) -> Landing:
    assert task.berth is not None  # noqa: S101 - a file that is READY is open
    return task.berth.landing
