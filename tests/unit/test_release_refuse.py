from __future__ import annotations

import json
import pickle
import zipfile
from typing import TYPE_CHECKING

import numpy as np  # noqa: TID253 - a test module may be heavy
import pytest
import tensor_files
from release_models import project, savez, scaled, write

from modeldeps.errors import RefusedFormatError
from modeldeps.publish import build_release
from modeldeps.publish._refuse import refuse_code

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("ending", ["pt", "pth", "ckpt", "pkl", "pickle", "joblib", "PT"])
def test_a_name_that_promises_a_pickle_is_refused_with_what_works(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"model.{ending}"
    path.write_bytes(b"anything")
    with pytest.raises(RefusedFormatError, match=r"hint: .*(torch\.onnx\.export|skl2onnx)"):
        refuse_code(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_known_by_its_first_bytes(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(pickle.dumps({"weights": [1.0, 2.0]}, protocol))
    with pytest.raises(RefusedFormatError, match="a pickle"):
        refuse_code(path)


def test_an_archive_of_pytorch_is_known_by_its_members(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(RefusedFormatError, match=r"archive/data\.pkl"):
        refuse_code(path)


def test_a_keras_model_with_a_lambda_layer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    for layer, refused in (("Dense", False), ("Lambda", True)):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps({"layers": [{"class_name": layer}]}))
        if refused:
            with pytest.raises(RefusedFormatError, match="Lambda"):
                refuse_code(path)
        else:
            refuse_code(path)


def test_a_lambda_layer_in_an_hdf5_file_is_found_and_the_file_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "model.weights"
    path.write_bytes(b'\x89HDF\r\n\x1a\n{"class_name": "Dense"}')
    refuse_code(path)
    path.write_bytes(b'\x89HDF\r\n\x1a\n{"class_name": "Lambda"}')
    with pytest.raises(RefusedFormatError, match="Lambda"):
        refuse_code(path)


def test_an_archive_that_no_reader_could_open_is_left_to_those_who_try(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", b"{}")
    whole = path.read_bytes()
    place = whole.index(b"PK\x01\x02") + 8
    for flags in (b"\x01", b"\x00"):  # encrypted, then cut
        path.write_bytes(whole[:place] + flags + whole[place + 1 : -5 if flags == b"\x00" else None])
        refuse_code(path)


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}], dtype=object)
    np.save(tmp_path / "a.npy", objects, allow_pickle=True)
    savez(tmp_path / "a.npz", a=objects)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(RefusedFormatError, match="objects"):
            refuse_code(tmp_path / name)


def test_plain_files_are_taken(tmp_path: Path) -> None:
    write(tmp_path / "m.onnx", scaled())
    savez(tmp_path / "a.npz", a=np.ones(3))
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    (tmp_path / "empty").write_bytes(b"")
    for path in tmp_path.iterdir():
        refuse_code(path)


def test_a_release_with_a_pickle_among_its_files_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path / "p", 'files = ["vectorizer.bin"]')
    write(folder / "model.onnx", scaled())
    (folder / "vectorizer.bin").write_bytes(pickle.dumps([1]))
    with pytest.raises(RefusedFormatError):
        build_release(folder, tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_a_release_of_another_format_asks_for_no_runtime(tmp_path: Path) -> None:
    folder = project(
        tmp_path / "p",
        'inputs = { x = { dtype = "float32", shape = ["n", 3] } }',
        variants='variants = [{ name = "a", entry = "m.safetensors" }]',
    )
    (folder / "m.safetensors").write_bytes(tensor_files.safetensors({"w": b"\0" * 9}))
    release = build_release(folder, tmp_path / "dist")
    assert release.manifest.variants[0].format == "safetensors"
    assert release.manifest.inputs[0].shape == ("n", 3)
    with zipfile.ZipFile(release.wheel) as archive:
        text = archive.read("modeldeps_tiny-1.0.0.dist-info/METADATA").decode()
    assert "Provides-Extra: cpu\nProvides-Extra: cuda\n" in text
    assert "onnxruntime" not in text
