"""The digits projects are what they say: real models, measured on real images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np  # noqa: TID253 - a test module may be heavy
import onnxruntime  # noqa: TID253 - likewise
import pytest
import tomlkit  # noqa: TID253 - likewise

DIGITS = Path(__file__).parents[2] / "fixtures" / "digits"
VERSIONS = ("2.0.0", "2.1.0", "3.0.0")


def _table(version: str) -> dict[str, Any]:
    document = tomlkit.parse((DIGITS / version / "pyproject.toml").read_text("utf-8")).unwrap()
    table: dict[str, Any] = document["tool"]["modeldeps"]["model"]
    return table


def _scores(version: str, variant: str, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(
        DIGITS / version / f"digits-{variant}.onnx", providers=["CPUExecutionProvider"]
    )
    fed = images[:, None] / 16 if version == "3.0.0" else images
    [scores, *_] = session.run(None, {session.get_inputs()[0].name: fed.astype(np.float32)})
    return np.asarray(scores)


def test_all_fixture_files_together_are_small() -> None:
    assert sum(file.stat().st_size for file in DIGITS.rglob("*") if file.is_file()) < 300_000


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_each_variant_reads_the_images_that_travel_with_the_demo(version: str, variant: str) -> None:
    with np.load(DIGITS / "app" / "digits_held_out.npz") as held_out:
        images, labels = held_out["images"], held_out["labels"]
    assert images.shape == (48, 8, 8)
    assert (_scores(version, variant, images).argmax(axis=1) == labels).mean() > 0.85


def test_the_metrics_are_those_of_the_held_out_images(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn", reason="the 1,797 images come with scikit-learn")
    monkeypatch.syspath_prepend(str(DIGITS.parent))
    import make  # noqa: PLC0415 - it lies beside the fixtures

    held_out = make.data()[1]
    assert len(held_out.labels) == 500
    for version in VERSIONS:
        for metric in _table(version)["metrics"]:
            right = _scores(version, metric["variant"], held_out.images).argmax(axis=1) == held_out.labels
            assert metric["value"] == pytest.approx(right.mean(), abs=1e-4)
            for digit, value in metric["classes"].items():
                assert value == pytest.approx(right[held_out.labels == int(digit)].mean(), abs=1e-4)


def test_a_later_version_is_better() -> None:
    accuracy = {version: _table(version)["metrics"][0]["value"] for version in VERSIONS}
    assert accuracy["2.0.0"] < accuracy["2.1.0"]
    assert 1 - accuracy["2.1.0"] < (1 - accuracy["2.0.0"]) / 3


def test_only_the_third_version_needs_a_runtime_that_cannot_be_had() -> None:
    assert [_table(version).get("runtime") for version in VERSIONS] == [None, None, ">=99"]
