"""The action and the hooks, in a conda that is a few lines long."""

from __future__ import annotations

import importlib
import importlib.util
import signal
import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
from conda_records import Context

from modeldeps.errors import ManifestError, OfflineError, Problem


class CondaError(Exception):
    """As conda's: it keeps the message."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InterruptedBySignalError(CondaError):
    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")


class Action:
    def __init__(self, *parts: Any) -> None:
        names = ("transaction_context", "target_prefix", "unlink_precs", "link_precs")
        for name, part in zip(names, parts, strict=False):
            setattr(self, name, part)


def small_conda(monkeypatch: pytest.MonkeyPatch, *, checks: str = "warn", **types: Any) -> None:
    """Put a conda into place that has no more than the plugin asks for, and these plugin types."""
    context = Context()
    context.safety_checks = SimpleNamespace(name=checks)  # type: ignore[attr-defined]
    contents: dict[str, dict[str, Any]] = {
        "conda": {"CondaError": CondaError},
        "conda.base": {},
        "conda.base.context": {"context": context},
        "conda.core": {},
        "conda.core.path_actions": {"Action": Action},
        "conda.exceptions": {"CondaSignalInterrupt": InterruptedBySignalError},
        "conda.plugins": {"hookimpl": lambda hook: hook, "types": SimpleNamespace(**types)},
    }
    for name, values in contents.items():
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def fetch_models(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the action's class and a list; what is put into the list is raised by the next fetch."""
    small_conda(monkeypatch)
    return _action(monkeypatch)


def _action(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delitem(sys.modules, "modeldeps.conda._action", raising=False)
    kind = importlib.import_module("modeldeps.conda._action").FetchModels
    monkeypatch.delitem(sys.modules, "modeldeps.conda._action")
    faults: list[BaseException] = []
    calls: list[str] = []

    class Made(kind):  # type: ignore[misc,valid-type]
        def _bring(self, heading: str) -> None:
            calls.append(heading)
            if faults:
                raise faults.pop()

    return Made, faults, calls


def test_verify_returns_what_went_wrong_and_execute_fetches_only_what_it_did_not(fetch_models: Any) -> None:
    made, faults, calls = fetch_models
    action = made({}, "/x", (), ())
    faults.append(OfflineError(["a.onnx"], missing="1 B"))
    error = action.verify()
    assert type(error).__name__ == "ModelsError"
    assert "the network is off" in str(error)
    assert action.verify() is None
    action.execute()
    action.reverse()
    action.cleanup()
    assert calls == ["Verifying transaction"] * 2


def test_a_broken_manifest_is_not_told_with_a_command_for_pip(fetch_models: Any) -> None:
    made, faults, _ = fetch_models
    faults.append(ManifestError("model.json", [Problem("name", "expected a text")], hint="pip install x"))
    words = str(made({}, "/x", (), ()).verify())
    assert "expected a text" in words
    assert "pip" not in words


def test_percent_signs_of_a_message_are_no_formats(fetch_models: Any) -> None:
    made, faults, _ = fetch_models
    faults.append(ValueError("100 %s"))
    assert "100 %s" in str(made({}, "/x", (), ()).verify())


def test_ctrl_c_in_verify_is_returned_as_condas_signal(fetch_models: Any) -> None:
    made, faults, _ = fetch_models
    faults.append(KeyboardInterrupt())
    error = made({}, "/x", (), ()).verify()
    assert isinstance(error, InterruptedBySignalError)
    assert str(int(signal.SIGINT)) in str(error)


def test_where_conda_checks_nothing_it_is_fetched_before_anything_is_unlinked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_conda(monkeypatch, checks="disabled")
    made, faults, calls = _action(monkeypatch)
    made({}, "/x", (), ()).execute()
    assert calls == ["Preparing transaction"]
    faults.append(OfflineError(["a.onnx"], missing="1 B"))
    with pytest.raises(CondaError, match="the network is off"):
        made({}, "/x", (), ())


def hooks(monkeypatch: pytest.MonkeyPatch, **types: Any) -> ModuleType:
    """Read the hooks in a conda that has these plugin types."""
    small_conda(monkeypatch, **types)
    spec = importlib.util.find_spec("modeldeps.integrations.conda")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_conda_without_the_classes_loses_the_features_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    module = hooks(monkeypatch)
    assert [list(getattr(module, name)()) for name in module.__all__] == [[]] * len(module.__all__)


def test_a_class_is_given_the_keywords_that_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old(NamedTuple):
        name: str
        action: Any

    @dataclass
    class Base:
        name: str

    @dataclass
    class New(Base):
        action: Any

    for kind in (Old, New):
        module = hooks(monkeypatch, Some=kind)
        (one,) = module._made("Some", name="x", action=print, fixer=None)
        assert (one.name, one.action) == ("x", print)
