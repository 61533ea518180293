"""Whether the channels have what the project asks for."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from modeldeps.check._finding import Finding, Project
from modeldeps.errors import ModelDepsError, redact
from modeldeps.fetch.index import Channel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from modeldeps.fetch.index import IndexRelease
    from modeldeps.requirement import ModelRequirement


def check_channels(project: Project) -> Iterator[Finding]:
    """Find models that nobody publishes, and specifiers that no release fits."""
    models = list(project.models())
    if not models:
        return
    if not project.channels:
        yield Finding(
            "tool.modeldeps.channels",
            "no channel is configured: names can't be checked, and installers look on the public index",
            "modeldeps add MODEL --channel URL",
            level="note",
        )
        return
    asked = [url for url in project.channels if not project.offline or url.startswith("file:")]
    reached, failed = _reach(asked)
    yield from failed
    sure = len(reached) == len(project.channels)
    for key, model in models:
        yield from _published(key, model, reached, sure=sure)


def _reach(urls: Sequence[str]) -> tuple[dict[Channel, tuple[str, ...]], list[Finding]]:
    """Return the channels that answer, with their models, and what was wrong with the others."""
    reached, failed = {}, []
    for url in urls:
        channel = Channel(url)
        try:
            reached[channel] = channel.models()
        except ModelDepsError as error:
            words = "; ".join([error.sentence, *(value for _, value in error.facts)])
            failed.append(Finding("tool.modeldeps.channels", f"{redact(url)}: {words}", error.hint or ""))
    return reached, failed


def _published(
    key: str, model: ModelRequirement, reached: dict[Channel, tuple[str, ...]], *, sure: bool
) -> Iterator[Finding]:
    """Find out about one model; a name that is in no channel is only wrong when all channels answered."""
    having = [channel for channel, models in reached.items() if model.name in models]
    if not having and sure:
        yield Finding(key, f"no channel has a model {model.name!r}", _guess(model.name, reached.values()))
    if not having:
        return
    try:
        releases = having[0].releases(model.name)  # as installers take it
    except ModelDepsError as error:
        yield Finding(key, f"{model.name}: {error.sentence}", error.hint or "")
    else:
        yield from _fits(key, model, releases)


def _guess(name: str, known: Iterable[tuple[str, ...]]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for this finding

    names = sorted({one for models in known for one in models})
    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are {', '.join(names[:10])}{', …' if len(names) > 10 else ''}" if names else ""  # noqa: PLR2004 - a line


def _fits(key: str, model: ModelRequirement, releases: Sequence[IndexRelease]) -> Iterator[Finding]:
    """Find a specifier that nothing fits, and say what there is."""
    allowed = [release for release in releases if model.allows(release.version)]
    usable = [release for release in allowed if not release.yanked and _here(release)]
    pinned = model.specifier.startswith("==")
    if usable or (pinned and any(map(_here, allowed))):
        return
    if not allowed:
        there = ", ".join(release.version for release in releases[:5])
        yield Finding(key, f"no release of {model.name} fits {model}", f"there are {there}" if there else "")
    elif all(release.yanked for release in allowed):
        reason = allowed[0].yanked
        yield Finding(
            key, f"every release that fits {model} was withdrawn: {reason}", "ask for another version"
        )
    else:
        needs = allowed[0].requires_python
        yield Finding(
            key,
            f"{model.name} {allowed[0].version} needs Python {needs}, this is {platform.python_version()}",
        )


def _here(release: IndexRelease) -> bool:
    from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - at first use

    return SpecifierSet(release.requires_python).contains(platform.python_version(), prereleases=True)
