"""A model's card: what it is, what it takes and gives, how good it is, and what this machine makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.cli._output import facts, table
from modeldeps.manifest import to_json as manifest_json
from modeldeps.progress import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modeldeps.cli._installed import InstalledModel
    from modeldeps.manifest import Dataset, Lineage, Metric, Tensor, Variant
    from modeldeps.runtime import Candidate


def card(model: InstalledModel) -> list[str]:
    """Return the lines of the card."""
    manifest = model.manifest
    sections = [
        ("", [f"{manifest.name} {manifest.version}", manifest.summary]),
        ("", facts(_identity(model))),
        ("inputs", _tensors(manifest.inputs)),
        ("outputs", _tensors(manifest.outputs)),
        ("variants", _variants(model)),
        ("here", _choice(model)),
        ("metrics", _metrics(manifest.metrics)),
        ("lineage", facts(_lineage(manifest.lineage))),
        ("changes", manifest.changes.splitlines()),
    ]
    return [line for title, lines in sections if lines for line in _section(title, lines)][:-1]


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if title:
        yield title
    indent = "  " if title else ""
    for line in lines:
        yield f"{indent}{line}".rstrip()
    yield ""


def _identity(model: InstalledModel) -> Iterator[tuple[str, object]]:
    manifest, variant = model.manifest, model.variant
    yield "task", manifest.task
    yield "license", manifest.license
    yield "authors", ", ".join(manifest.authors)
    yield "homepage", manifest.homepage
    everything = sum(file.size for file in manifest.all_files())
    yield "size", f"{format_bytes(model.size)} ({variant.name}), {format_bytes(everything)} in all"
    yield "cached", _cached(model, variant)
    yield "installed", model.pointer.location
    asked = [f"{one.distribution} ({one.requirement})" for one in model.requirers]
    yield "required by", "\n".join(asked) or "nothing in this environment"


def _cached(model: InstalledModel, variant: Variant) -> str:
    if folder := model.folder(variant):
        return f"yes, in {folder}"
    return "yes" if model.is_cached(variant) else "no"


def _tensors(tensors: Sequence[Tensor]) -> list[str]:
    if not tensors:
        return []
    rows = [(one.name, one.dtype, _shape(one.shape), one.unit, one.description) for one in tensors]
    return table(("NAME", "TYPE", "SHAPE", "UNIT", "DESCRIPTION"), rows)


def _shape(shape: Sequence[int | str | None]) -> str:
    return f"[{', '.join('?' if one is None else str(one) for one in shape)}]"


def _variants(model: InstalledModel) -> list[str]:
    manifest = model.manifest
    ordered = [one for one in map(manifest.variant, manifest.default) if one is not None]
    rows = [
        (
            one.name,
            one.format,
            one.precision,
            format_bytes(model.payload_size(one)),
            ", ".join(one.providers) or "any",
            one.requires.runtime or "any",
            "yes" if model.is_cached(one) else "no",
        )
        for one in ordered
    ]
    return table(("NAME", "FORMAT", "PRECISION", "SIZE", "MEANT FOR", "RUNTIME", "CACHED"), rows)


def _choice(model: InstalledModel) -> list[str]:
    lines = str(model.decision).splitlines()
    if model.obstacle:
        lines += ["", *str(model.obstacle).splitlines()]
    return lines


def _metrics(metrics: Sequence[Metric]) -> list[str]:
    if not metrics:
        return []
    rows = [(one.dataset, one.split, one.metric, f"{one.value:g}", one.variant or "all") for one in metrics]
    lines = table(("DATASET", "SPLIT", "METRIC", "VALUE", "VARIANT"), rows)
    measured: dict[tuple[str, str, str], list[Metric]] = {}
    for one in metrics:
        if one.classes:
            measured.setdefault((one.dataset, one.split, one.metric), []).append(one)
    for group in measured.values():
        lines += ["", *_classes(group)]
    return lines


def _classes(metrics: Sequence[Metric]) -> list[str]:
    """Return one table of the classes for all variants, the worst first: they are what one looks for."""
    names = dict.fromkeys(name for one in metrics for name in one.classes)
    worst = {name: min(one.classes[name] for one in metrics if name in one.classes) for name in names}
    rows = [
        (name, *(f"{one.classes[name]:g}" if name in one.classes else "" for one in metrics))
        for name in sorted(names, key=worst.__getitem__)
    ]
    header = [f"{one.metric.upper()} ({one.variant or 'all'})" for one in metrics]
    return table(("CLASS", *header), rows)


def _lineage(lineage: Lineage) -> Iterator[tuple[str, object]]:
    yield "parent", lineage.parent
    yield "data", "\n".join(map(_dataset, lineage.data))
    yield "code", " at ".join(filter(None, (lineage.repository, lineage.commit)))
    yield "framework", lineage.framework
    yield "date", lineage.date
    yield "parameters", ", ".join(f"{name} = {value}" for name, value in lineage.parameters.items())


def _dataset(dataset: Dataset) -> str:
    return "  ".join(filter(None, (dataset.name, dataset.uri, dataset.digest)))


def to_json(model: InstalledModel) -> dict[str, object]:
    """Return the manifest, and what this machine makes of it under `here`."""
    from dataclasses import asdict  # noqa: PLC0415

    chosen = model.decision.chosen
    folder = model.folder(model.variant)
    return {
        **manifest_json(model.manifest),
        "here": {
            "location": str(model.pointer.location),
            "variant": model.variant.name,
            "provider": chosen.provider if chosen else None,
            "candidates": [candidate_json(one) for one in model.decision.candidates],
            "problem": str(model.obstacle) if model.obstacle else None,
            "size": model.size,
            "cached": {one.name: model.is_cached(one) for one in model.manifest.variants},
            "path": str(folder) if folder else None,
            "required_by": [asdict(one) for one in model.requirers],
        },
    }


def candidate_json(candidate: Candidate) -> dict[str, object]:
    """Return a candidate with what became of it."""
    from dataclasses import asdict  # noqa: PLC0415

    from modeldeps.runtime import Accepted  # noqa: PLC0415

    return {"accepted": isinstance(candidate, Accepted), **asdict(candidate)}
