"""Make a release out of a model project: its manifest, its pointer wheel, its blobs."""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.digest import sha256_bytes, sha256_file
from modeldeps.errors import FileChangedError, Problem, ProjectError
from modeldeps.fetch import blob_url
from modeldeps.files import write_atomically
from modeldeps.manifest import Example, File, Manifest, Requires, Variant, dump, parse
from modeldeps.progress import Reporter
from modeldeps.publish._chunks import digest_file, plan_chunks
from modeldeps.publish._floor import runtime_floor, specifier
from modeldeps.publish._golden import check_example
from modeldeps.publish._interface import Tensors, agreed_interface
from modeldeps.publish._onnx import OnnxFile, read_onnx
from modeldeps.publish._payload import READERS, Payload, payload
from modeldeps.publish._project import FORMATS, ExamplePlan, ModelProject, VariantPlan, read_project
from modeldeps.publish._refuse import refuse_code
from modeldeps.publish._wheel import Words, dist_info, dist_info_name, wheel_bytes, wheel_file_name
from modeldeps.publish.conda import moment, write_bundled, write_package_if_possible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Interface = tuple[Tensors, Tensors]
"""Inputs and outputs."""

LICENSE_PATTERNS = ("LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*")
"""Licence files where a project names none, as build backends have it (PEP 639)."""


BLOBS = "blobs/sha256"
"""Where the blobs lie in what is built, as in a channel."""
MUCH = 32 << 20
"""Bytes that plain Python cuts by content in two seconds."""


@dataclass(frozen=True)
class Release:
    """What was built."""

    wheel: Path
    """The pointer wheel."""
    blobs: tuple[Path, ...]
    """The payload, each file named by its digest."""
    manifest: Manifest
    """What the wheel says."""
    conda: Path | None = None
    """The conda package beside the wheel; None where conda has no words for what the wheel asks for."""
    bundled: Path | None = None
    """The bundled build, a conda package with the payload inside; None where it was not asked for."""


@dataclass(frozen=True)
class Assembly:
    """A release before it is written."""

    manifest: Manifest
    words: Words
    contents: Mapping[str, Path | bytes]
    """Where the bytes of each blob are, by digest."""


def build_release(
    project_dir: Path, output: Path, *, reporter: Reporter | None = None, bundled: bool = False
) -> Release:
    """
    Build a model project: `OUTPUT/NAME.whl`, `OUTPUT/NAME.conda` and `OUTPUT/blobs/sha256/ab/DIGEST`.

    With `bundled` also the conda package that has the blobs inside.

    Raises the project's errors about what its files say, and OSError.
    """
    teller = reporter or Reporter()
    found = assemble(read_project(project_dir), teller)
    blobs = tuple(_land(digest, content, output) for digest, content in sorted(found.contents.items()))
    wheel = write_wheel(found, output)
    conda = write_package_if_possible(wheel, output, reporter=teller)
    inside = write_bundled(wheel, output / BLOBS, output, timestamp=moment()) if bundled else None
    return Release(wheel, blobs, found.manifest, conda, inside)


def build_requirements(project_dir: Path) -> list[str]:
    """
    Return the requirements that building a project has besides modeldeps itself.

    Raises NotAModelProjectError, ProjectError.
    """
    project = read_project(project_dir)
    has_onnx = any(one.format == "onnx" for one in project.variants)
    needed = ["onnx>=1.16"] if has_onnx else []
    if project.examples:
        needed += ["numpy", "onnxruntime>=1.20"] if has_onnx else ["numpy"]
    elif not needed and _has_much_to_cut(project):
        needed.append("numpy")
    return needed


def _has_much_to_cut(project: ModelProject) -> bool:
    """Tell whether cutting by content would take long without numpy."""
    paths = [*project.files, *(path for one in project.variants for path in (one.entry, *one.files))]
    known = tuple(ending for ending, name in FORMATS.items() if name == "onnx" or name in READERS)
    files = [project.folder / path for path in paths if not path.lower().endswith(known)]
    return sum(file.stat().st_size for file in files if file.is_file()) > MUCH


def build_pointer(project_dir: Path, output: Path, *, reporter: Reporter) -> Path:
    """Write only the pointer wheel of a project, and return where it is. Raises as build_release does."""
    return write_wheel(assemble(read_project(project_dir), reporter), output)


def prepare_pointer(project_dir: Path, output: Path, *, reporter: Reporter) -> Path:
    """Write only the `.dist-info` folder of a project, and return it. Raises as build_release does."""
    found = assemble(read_project(project_dir), reporter)
    folder = output / dist_info_name(found.manifest)
    for name, content in dist_info(found.manifest, found.words).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def pack_pointer(prepared: Path, output: Path) -> Path:
    """Write the wheel around a folder that prepare_pointer made, and return where it is. Raises OSError."""
    contents = {
        one.relative_to(prepared).as_posix(): one.read_bytes() for one in prepared.rglob("*") if one.is_file()
    }
    manifest = parse(contents["model.json"])
    wheel = output / wheel_file_name(manifest)
    write_atomically(wheel, wheel_bytes(prepared.name, contents), durable=False)
    return wheel


def write_wheel(found: Assembly, output: Path) -> Path:
    """Write the pointer wheel into a folder, and return where it is. Raises OSError."""
    output.mkdir(parents=True, exist_ok=True)
    wheel = output / wheel_file_name(found.manifest)
    write_atomically(
        wheel,
        wheel_bytes(dist_info_name(found.manifest), dist_info(found.manifest, found.words)),
        durable=False,
    )
    return wheel


def assemble(project: ModelProject, reporter: Reporter) -> Assembly:
    """Read, check and digest everything that a project names. Raises the project's errors, and OSError."""
    files = payload(project)
    for path in files.all_paths():
        refuse_code(project.folder / path)
    opened = {
        one.name: read_onnx(project.folder / one.entry) for one in project.variants if one.format == "onnx"
    }
    _tell_custom(opened, reporter)
    inputs, outputs = interface = agreed_interface(project, opened)
    digested = _digest_all(project, files, reporter)
    contents: dict[str, Path | bytes] = {one.sha256: project.folder / path for path, one in digested.items()}
    examples = []
    for plan in project.examples:
        example, computed = _example(project, plan, digested, interface=interface, reporter=reporter)
        examples.append(example)
        if computed is not None:
            contents[example.outputs.sha256] = computed
    manifest = Manifest(
        name=project.name,
        version=project.version,
        summary=project.summary,
        license=project.license,
        variants=tuple(_variant(one, files, digested, opened.get(one.name)) for one in project.variants),
        default=project.default,
        task=project.task,
        homepage=project.homepage,
        authors=project.authors,
        inputs=inputs,
        outputs=outputs,
        files=tuple(digested[path] for path in files.shared),
        examples=tuple(examples),
        metrics=project.metrics,
        lineage=project.lineage,
        changes=project.changes,
    )
    return Assembly(parse(dump(manifest), file=f"{project.file}: model.json"), read_words(project), contents)


def _tell_custom(opened: Mapping[str, OnnxFile], reporter: Reporter) -> None:
    """Say which variants have operators that ONNX Runtime lacks."""
    for name, onnx in opened.items():
        for domain in onnx.custom:
            reporter.note(
                f"variant {name}: ONNX Runtime has no operators of {domain!r}, so load() can't open it"
            )


def _example(
    project: ModelProject,
    plan: ExamplePlan,
    digested: Mapping[str, File],
    *,
    interface: Interface,
    reporter: Reporter,
) -> tuple[Example, bytes | None]:
    """Check a golden example; return it, and its outputs where they were computed here."""
    ordered = sorted(project.variants, key=lambda one: project.default.index(one.name))
    golden = check_example(plan, project.folder, variants=ordered, interface=interface, reporter=reporter)
    made = golden.computed
    outputs = digested[plan.outputs] if made is None else _computed(project, plan, made)
    return Example(plan.name, digested[plan.inputs], outputs, golden.tolerances, plan.overrides), made


def _digest_all(project: ModelProject, files: Payload, reporter: Reporter) -> dict[str, File]:
    """Digest each file once, cut at the bounds of its tensors and by content elsewhere."""
    sizes = {path: (project.folder / path).stat().st_size for path in files.all_paths()}
    total = sum(sizes.values())
    reporter.begin(f"{project.name} {project.version}", total=total)
    try:
        found = {}
        for path, size in sizes.items():
            cuts = plan_chunks(size, files.tensors.get(path, ()), total=total)
            digest, chunks = digest_file(project.folder / path, cuts, reporter)
            found[path] = File(path, size, digest, chunks, _sources(project, digest))
        return found
    finally:
        reporter.end()


def _sources(project: ModelProject, digest: str) -> tuple[str, ...]:
    return tuple(blob_url(base, digest) for base in project.sources)


def _computed(project: ModelProject, plan: ExamplePlan, content: bytes) -> File:
    """Give outputs that were computed here a path and a digest."""
    path = plan.inputs.rpartition("/")[0]
    named = f"{path}/{plan.name}.outputs.npz" if path else f"{plan.name}.outputs.npz"
    digest = sha256_bytes(content)
    return File(named, len(content), digest, (), _sources(project, digest))


def _variant(
    plan: VariantPlan, files: Payload, digested: Mapping[str, File], opened: OnnxFile | None
) -> Variant:
    if opened is None:
        requires = Requires(runtime=plan.runtime)
    else:
        floor = runtime_floor(opened.ir_version, opened.opsets, opened.operators)
        requires = Requires(opened.ir_version, opened.opsets, specifier(floor, plan.runtime))
    return Variant(
        name=plan.name,
        format=plan.format,
        entry=plan.entry,
        files=tuple(digested[path] for path in files.variants[plan.name]),
        precision=plan.precision,
        providers=plan.providers,
        requires=requires,
    )


def read_words(project: ModelProject) -> Words:
    """Read the readme and the licence files. Raises ProjectError, OSError."""
    patterns = project.license_files or LICENSE_PATTERNS
    licenses: dict[str, bytes] = {}
    problems = []
    for index, pattern in enumerate(patterns):
        found = [one for one in sorted(project.folder.glob(pattern)) if one.is_file()]
        if not found and project.license_files:
            key = f"tool.modeldeps.model.license-files[{index}]"
            problems.append(Problem(key, f"expected a pattern that matches a file, found {pattern!r}"))
        licenses.update({one.relative_to(project.folder).as_posix(): one.read_bytes() for one in found})
    try:
        readme = (project.folder / project.readme).read_text("utf-8") if project.readme else ""
    except UnicodeDecodeError:
        problems.append(Problem("tool.modeldeps.model.readme", "expected text in UTF-8"))
        readme = ""
    if problems:
        raise ProjectError(project.file, problems)
    return Words(readme, project.readme, licenses)


def _land(digest: str, content: Path | bytes, output: Path) -> Path:
    """Put one blob where a channel has it; nothing has its name before its digest was proved."""
    target = output / BLOBS / digest[:2] / digest
    if target.is_file() and sha256_file(target) == digest:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        write_atomically(target, content, durable=False)
        return target
    scratch = target.with_name(f".{digest}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        shutil.copyfile(content, scratch)
        if sha256_file(scratch) != digest:
            raise FileChangedError(content)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return target
