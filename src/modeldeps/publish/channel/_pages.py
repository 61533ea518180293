"""Render the pages of a channel that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.names import distribution_name
from modeldeps.progress import format_bytes
from modeldeps.publish.channel._html import Html, link, page, table, tag, text, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from modeldeps.manifest import File, Lineage, Manifest, Metric, Tensor
    from modeldeps.publish.channel._record import Record

_INDEX = "index.html"
"""Links name it, so that a person can read the folder without a web server too."""
_ROOT = f"../../../{_INDEX}"


def channel_page(listing: Mapping[str, Record]) -> bytes:
    """Return the list of models, each with the release that installers take."""
    rows = [
        [link(f"models/{model}/{_INDEX}", model), one.version, one.summary, one.license]
        for model, one in listing.items()
    ]
    body = [
        words("h1", "Models"),
        words("p", f"{len(rows)} in this channel", class_="talk"),
        table(("Model", "Newest", "Summary", "Licence"), rows)
        if rows
        else words("p", "Nothing is published yet."),
        words("h2", "Use one"),
        words("p", "With the address of this page as CHANNEL:"),
        words("pre", '[tool.modeldeps]\nchannels = ["CHANNEL"]\nmodels = ["NAME>=VERSION"]'),
        tag("p", Html(f"Installers read {link('simple/index.html', 'the index')} below it.")),
        words("p", "conda, mamba and pixi take the same address as a channel."),
    ]
    return page("Models", body)


def model_page(model: str, records: Sequence[Record]) -> bytes:
    """Return the list of a model's releases, newest first."""
    rows = [
        [
            link(f"{one.version}/{_INDEX}", one.version),
            one.published[:10],
            format_bytes(one.payload),
            f"yanked: {one.yanked}" if one.yanked else "",
        ]
        for one in records
    ]
    summary = records[0].summary if records else ""
    body = [
        tag("nav", link(f"../../{_INDEX}", "Models")),
        words("h1", model),
        words("p", summary),
        table(("Version", "Published", "Payload", ""), rows, numbers=(2,)),
    ]
    return page(model, body)


def state_mark(record: Record) -> Html:
    """Return the line of a release's page that says whether it is yanked, for programs."""
    return Html(f'<meta name="modeldeps:yanked" content="{text(record.yanked)}">')


def release_page(manifest: Manifest, record: Record) -> bytes:
    """Return the model card of one release."""
    title = f"{manifest.name} {manifest.version}"
    body = list(_release(manifest, record, title))
    return page(title, body, meta=state_mark(record))


def _release(manifest: Manifest, record: Record, title: str) -> Iterator[Html]:
    yield tag("nav", Html(f"{link(_ROOT, 'Models')} / {link('../' + _INDEX, manifest.name)}"))
    yield words("h1", title)
    yield words("p", manifest.summary)
    if record.yanked:
        yield words("p", f"Yanked: {record.yanked}", class_="yanked")
    yield _facts(manifest, record)
    yield words("h2", "Use")
    yield tag("p", Html(f"With the address of {link(_ROOT, 'this channel')} as CHANNEL:"))
    yield words("pre", _usage(manifest))
    yield from _section("Inputs", _tensors(manifest.inputs))
    yield from _section("Outputs", _tensors(manifest.outputs))
    yield words("h2", "Variants")
    yield _variants(manifest)
    yield from _section("Metrics", _metrics(manifest.metrics))
    yield from _section("Lineage", _lineage(manifest.lineage))
    if manifest.changes:
        yield words("h2", "Changes")
        yield words("pre", manifest.changes, class_="words")
    yield words("h2", "Files")
    yield _files(manifest)


def _section(title: str, content: Html | None) -> Iterator[Html]:
    if content:
        yield words("h2", title)
        yield content


def _facts(manifest: Manifest, record: Record) -> Html:
    wheel = f"../../../simple/{distribution_name(manifest.name)}/{record.filename}"
    rows: list[tuple[str, object]] = [
        ("Task", manifest.task),
        ("Licence", manifest.license),
        ("Authors", ", ".join(manifest.authors)),
        ("Homepage", link(manifest.homepage, manifest.homepage) if manifest.homepage else ""),
        ("Published", record.published[:10]),
        ("Payload", format_bytes(record.payload)),
        ("Wheel", link(wheel, record.filename)),
        ("sha256", words("code", record.sha256, class_="digest")),
        ("Manifest", link("model.json", "model.json")),
    ]
    return table((), ((label, value) for label, value in rows if value))


def _usage(manifest: Manifest) -> str:
    """Return what to write; a major version keeps its interface, so `~=` is offered."""
    minor = ".".join(manifest.version.split(".")[:2])
    stable = manifest.version.replace(".", "").isdigit()
    wanted = f"{manifest.name}~={minor}" if stable else f"{manifest.name}=={manifest.version}"
    feed = ", ".join(f"{one.name}=…" for one in manifest.inputs)
    call = f"model.run({feed})" if all(one.name.isidentifier() for one in manifest.inputs) else "model.run(…)"
    declare = f'# pyproject.toml\n[tool.modeldeps]\nmodels = ["{wanted}"]\nchannels = ["CHANNEL"]\n'
    return f'{declare}\n# Python\nfrom modeldeps import load\nmodel = load("{manifest.name}")\n{call}'


def _tensors(tensors: Sequence[Tensor]) -> Html | None:
    if not tensors:
        return None
    rows = [[words("code", one.name), one.dtype, _shape(one), one.unit, one.description] for one in tensors]
    return table(("Name", "Type", "Shape", "Unit", "Meaning"), rows)


def _shape(tensor: Tensor) -> str:
    return (
        " \N{MULTIPLICATION SIGN} ".join("?" if one is None else str(one) for one in tensor.shape)
        or "a single value"
    )


def _variants(manifest: Manifest) -> Html:
    rows = []
    for name in manifest.default:
        one = manifest.variant(name)
        if one is not None:
            size = sum(file.size for file in manifest.payload(one))
            providers = ", ".join(one.providers) or "any"
            runtime = one.requires.runtime and f"ONNX Runtime {one.requires.runtime}"
            rows.append([name, one.format, one.precision, providers, runtime, format_bytes(size)])
    return table(("Name", "Format", "Precision", "Providers", "Needs", "Size"), rows, numbers=(5,))


def _metrics(metrics: Sequence[Metric]) -> Html | None:
    if not metrics:
        return None
    rows = [
        [" ".join(filter(None, (one.dataset, one.split))), one.metric, one.variant, f"{one.value:.6g}"]
        for one in metrics
    ]
    whole = table(("Dataset", "Metric", "Variant", "Value"), rows, numbers=(3,))
    classes = [_classes(one) for one in metrics if one.classes]
    return Html("\n".join([whole, *classes]))


def _classes(metric: Metric) -> Html:
    label = " ".join(filter(None, (metric.metric, metric.variant)))
    rows = [[name, f"{value:.6g}"] for name, value in metric.classes.items()]
    body = table(("Class", "Value"), rows, numbers=(1,))
    return tag("details", Html(f"{words('summary', f'{label} by class')}\n{body}"))


def _lineage(lineage: Lineage) -> Html | None:
    data = [" ".join(filter(None, (one.name, one.uri, one.digest))) for one in lineage.data]
    rows: list[tuple[str, object]] = [
        *(("Data", one) for one in data),
        ("Code", " ".join(filter(None, (lineage.repository, lineage.commit)))),
        ("Parent", lineage.parent),
        ("Framework", lineage.framework),
        ("Trained", lineage.date),
        *((key, value) for key, value in lineage.parameters.items()),
    ]
    kept = [(label, value) for label, value in rows if value not in ("", None)]
    return table((), kept) if kept else None


def _files(manifest: Manifest) -> Html:
    groups: list[tuple[str, Sequence[File]]] = [(one.name, one.files) for one in manifest.variants]
    groups.append(("all", manifest.files))
    groups += [(f"example {one.name}", (one.inputs, one.outputs)) for one in manifest.examples]
    rows = [
        [_blob(file), group, format_bytes(file.size), words("code", file.sha256[:16] + "…")]
        for group, files in groups
        for file in files
    ]
    return table(("File", "Of", "Size", "sha256"), rows, numbers=(2,))


def _blob(file: File) -> Html:
    url = f"../../../blobs/sha256/{file.sha256[:2]}/{file.sha256}"
    return tag("a", text(file.path), href=url, download=file.path.rsplit("/", 1)[-1])
