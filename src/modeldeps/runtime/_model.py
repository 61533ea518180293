"""An opened model: what it is, and how it is run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modeldeps._frozen import dataclass
from modeldeps.errors import InputError, ModelDepsError, RunError
from modeldeps.manifest import Tensor
from modeldeps.runtime._inputs import Slot, explain, prepare

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from onnxruntime import InferenceSession

    from modeldeps.manifest import Manifest
    from modeldeps.runtime._decide import Accepted, Decision


@dataclass(frozen=True)
class Opened:
    """What `load()` hands to `Model`."""

    manifest: Manifest
    """The release."""
    decision: Decision
    """Why this variant and this provider."""
    chosen: Accepted
    """The candidate that was opened."""
    path: Path
    """The materialised folder."""
    session: InferenceSession
    """What ONNX Runtime opened."""


class Model:
    """A model of this environment, opened on the best execution provider that works here."""

    def __init__(self, opened: Opened) -> None:
        from numpy import ndarray

        self.manifest = opened.manifest
        """The release's manifest."""
        self.decision = opened.decision
        """Every candidate, accepted or rejected, with its reason."""
        self.provider = opened.chosen.provider
        """The execution provider that runs it: `cpu` or `cuda`."""
        self.variant = opened.chosen.variant
        """The variant's name."""
        self.path = opened.path
        """The folder that holds the variant's files and the shared ones."""
        self.session = opened.session
        """The `onnxruntime.InferenceSession`, for what this class does not offer."""
        self._slots = tuple(map(Slot.of, opened.session.get_inputs()))
        self._results = tuple(map(Slot.of, opened.session.get_outputs()))
        self._dtypes = {one.name: one.dtype for one in self._slots}
        self._outputs = [one.name for one in self._results]
        self._array = ndarray
        # The bound method behind session.run(): the checks that it skips are made here, or asked for
        # when a run fails. It saves a quarter of the call's cost for a small model.
        inner = getattr(opened.session, "_sess", None)
        self._run = opened.session.run if inner is None else inner.run

    @property
    def name(self) -> str:
        """The model's name."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The release's version."""
        return self.manifest.version

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What `run` takes, in the graph's order."""
        return self.manifest.inputs or tuple(map(_tensor, self._slots))

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """What `run` gives, in the graph's order."""
        return self.manifest.outputs or tuple(map(_tensor, self._results))

    def run(self, values: Mapping[str, object] | None = None, /, **named: object) -> dict[str, Any]:
        """
        Run the model and return its outputs by name, as numpy arrays.

        Inputs are given by name, as keywords or, where a name is no Python word, in a mapping. Arrays
        must have the declared element type; lists are converted. Raises InputError, RunError.
        """
        try:
            given = named if values is None else {**values, **named}
        except TypeError:
            raise self._unnamed(values, named) from None
        array, dtypes = self._array, self._dtypes
        fits = len(given) == len(dtypes)
        for name, value in given.items():
            if type(value) is not array or value.dtype is not dtypes.get(name):
                fits = False
                break
        if not fits:
            given = prepare(self._title, self._slots, given)
        try:
            results = self._run(self._outputs, given, None)
        except Exception as error:
            raise self._failure(given, error) from error
        return dict(zip(self._outputs, results))  # noqa: B905 - strict costs time, and ONNX Runtime gives one each

    def __call__(self, *values: object, **named: object) -> dict[str, Any]:
        """Run a model of one input without naming it, or as `run` does. Raises InputError, RunError."""
        if not values:
            return self.run(**named)
        if len(values) != 1 or named or len(self._slots) != 1:
            expected = [f"{one.name}: {one}" for one in self._slots]
            found = [f"{len(values)} without a name", *named]
            raise InputError.name(self._title, found, expected)
        return self.run({self._slots[0].name: values[0]})

    def __repr__(self) -> str:
        return f"<Model {self._title}, {self.variant} on {self.provider}>"

    def _unnamed(self, values: object, named: Mapping[str, object]) -> InputError:
        """Make the error for a value that is no mapping."""
        expected = [f"{one.name}: {one}" for one in self._slots]
        return InputError.name(self._title, [f"{type(values).__name__} without a name", *named], expected)

    @property
    def _title(self) -> str:
        return f"{self.manifest.name} {self.manifest.version}"

    def _failure(self, given: Mapping[str, object], error: Exception) -> ModelDepsError:
        """Say which input does not fit; where all fit, say what ONNX Runtime said."""
        if wrong := explain(self._title, self._slots, given):
            return wrong
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        return RunError(self._title, self.provider, reason)


def _tensor(slot: Slot) -> Tensor:
    return Tensor(slot.name, slot.kind, slot.shape)
