"""Whatever is done to a store, in any order, and whoever dies in the middle: what it serves is right."""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path

import blob_server
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from store_life import FILES, Life, Lives, Place
from tampering import TAMPERINGS, check, prepare

NAMES = st.lists(st.sampled_from(sorted(FILES)), min_size=1, max_size=4, unique=True)
WITH_NAMES = st.tuples(st.sampled_from(["fetch", "fetch", "build", "read"]), NAMES)
STEP = st.one_of(
    WITH_NAMES.map(lambda one: [one[0], *one[1]]),
    st.sampled_from([["load"], ["free"], ["adopt"], ["repair"]]),
)
END = st.one_of(
    st.none(),
    st.tuples(
        st.sampled_from([signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGSTOP]).map(int),
        st.floats(0.0, 0.3),
    ),
)
LIFE = st.fixed_dictionaries({"steps": st.lists(STEP, min_size=1, max_size=3), "end": END})
HABITS = st.sampled_from(
    [
        blob_server.serve,
        blob_server.flipped(2_999),
        blob_server.status(404),
        blob_server.in_turn(blob_server.serve, blob_server.cut(30_000), blob_server.whole),
        blob_server.in_turn(blob_server.status(503), blob_server.serve),
    ]
)


class StoreMachine(RuleBasedStateMachine):
    """A store, processes that use it, and somebody who spoils it."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        folder = Path(tempfile.mkdtemp())
        self._stack.callback(shutil.rmtree, folder)
        self._doubtful, self._good = (self._stack.enter_context(blob_server.running()) for _ in range(2))
        self._place = Place(folder, (self._doubtful.url, self._good.url))
        prepare(self._place, self._good)
        self._doubtful.blobs = self._good.blobs
        self._lives = self._stack.enter_context(Lives(self._place))

    @rule(habit=HABITS)
    def change_habits(self, habit: blob_server.Fault) -> None:
        """Let the first source fail in another way."""
        self._doubtful.habit = habit

    @rule(lives=st.lists(LIFE, min_size=1, max_size=4))
    def live(self, lives: list[Life]) -> None:
        """Let processes work at once; some are ended."""
        self._lives.live(*lives)

    @rule(name=st.sampled_from(sorted(TAMPERINGS)), seed=st.integers(0, 1000))
    def tamper(self, name: str, seed: int) -> None:
        """Spoil something while nobody works."""
        TAMPERINGS[name](self._place, random.Random(seed))  # noqa: S311 - no secret

    @rule()
    def need_everything(self) -> None:
        """Whatever happened, all files can be had."""
        self._lives.live({"steps": [["fetch", *FILES], ["build", *FILES]], "end": None})
        assert all(self._place.store.find(file) for file in FILES.values())

    @invariant()
    def serves_nothing_wrong(self) -> None:
        """What may be used is right."""
        check(self._place)

    def teardown(self) -> None:
        """End everything."""
        self._stack.close()


StoreMachine.TestCase.settings = settings(
    settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "default")),
    max_examples=100 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 6,
    stateful_step_count=12,
)
TestStoreMachine = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")(StoreMachine.TestCase)
