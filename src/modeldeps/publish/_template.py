"""The texts of a new model project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from modeldeps.manifest import Tensor

Interface = tuple[Sequence[Tensor], Sequence[Tensor]]

HEAD = """\
[build-system]
requires = ["modeldeps"]
build-backend = "modeldeps.backend"

[tool.modeldeps.model]
{identity}
readme = "README.md"
# task = "image-classification"
# homepage = "https://example.com/"
# authors = ["Your Name"]
# files = ["labels.txt"]                       # shared by all variants
# sources = ["https://models.example.com/"]    # channels that will serve the files
# changes = "What changed since the previous version."
"""

VARIANT = """
[[tool.modeldeps.model.variants]]
{lines}
# providers = ["cpu", "cuda"]                  # what it is meant for; none means any
{needs}"""

TAIL = """
# A golden example: the outputs are computed when the project is built.
#   numpy.savez("example.npz", {arguments})
# [[tool.modeldeps.model.examples]]
# name = "example"
# inputs = "example.npz"

# [[tool.modeldeps.model.metrics]]
# dataset = "the data it was measured on"
# split = "test"
# metric = "accuracy"
# value = 0.98

# [tool.modeldeps.model.lineage]
# data = [{{ name = "the data it was trained on", uri = "https://example.com/data" }}]
# repository = "https://example.com/code"
# commit = "0123abc"
"""


def pyproject(
    identity: Mapping[str, str], variant: Mapping[str, str], *, interface: Interface, needs: str
) -> str:
    """Return the pyproject.toml, with a comment for what the publisher may add."""
    lines = [f"{key} = {_text(value)}" for key, value in variant.items() if value]
    parts = [
        HEAD.format(identity="\n".join(f"{key} = {_text(value)}" for key, value in identity.items())),
        VARIANT.format(
            lines="\n".join(lines),
            needs=f'# {needs}; ask for more with\n# runtime = ">=1.20"\n' if needs else "",
        ),
    ]
    for kind, tensors in zip(("inputs", "outputs"), interface, strict=True):
        parts += [_tensor(kind, one) for one in tensors]
    arguments = ", ".join(f"{one.name}=…" for one in interface[0]) or "NAME=…"
    return "".join([*parts, TAIL.format(arguments=arguments)])


def _tensor(kind: str, tensor: Tensor) -> str:
    import tomlkit

    shape = "any shape" if tensor.extra.get("any_shape") else f"[{', '.join(map(_size, tensor.shape))}]"
    key = tomlkit.key(tensor.name).as_string()
    head = f"\n[tool.modeldeps.model.{kind}.{key}]"
    comment = f"  # {tensor.dtype} {shape}".replace("\n", " ")
    return f'{head}{comment}\ndescription = ""\n# unit = "0..1"\n'


def _text(value: str) -> str:
    import tomlkit

    return tomlkit.item(value).as_string()


def readme(name: str, summary: str, interface: Interface) -> str:
    """Return the text that people see in an index."""
    rows = [
        f"| {kind} | `{one.name}` | {one.dtype} | {', '.join(map(_size, one.shape))} |"
        for kind, tensors in zip(("input", "output"), interface, strict=True)
        for one in tensors
    ]
    table = ["| | name | type | shape |", "| --- | --- | --- | --- |", *rows] if rows else []
    feed = ", ".join(f"{one.name}=…" for one in interface[0])
    code = [
        "```python",
        "from modeldeps import load",
        "",
        f'model = load("{name}")',
        f"outputs = model.run({feed})",
        "```",
    ]
    return "\n".join([f"# {name}", "", summary, "", *table, "", *code, ""])


def _size(size: int | str | None) -> str:
    return "?" if size is None else str(size)
