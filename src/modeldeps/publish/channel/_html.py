"""A few words of HTML for the pages of a channel; every text is escaped here and nowhere else."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Html(str):
    """Markup whose texts were escaped."""

    __slots__ = ()


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
{meta}<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
:root {{ --line: light-dark(#d8dde3, #3a4048); --soft: light-dark(#f4f6f8, #23272d) }}
:root {{ --talk: light-dark(#57606a, #9aa4ae); --link: light-dark(#0b5cad, #79b8ff) }}
:root {{ --bad: light-dark(#9a1c1c, #ff9b94) }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
h1 {{ margin: 0; font-size: 1.8rem }} h2 {{ margin: 2rem 0 .5rem; font-size: 1.15rem }}
a {{ color: var(--link) }} nav, .talk, th {{ color: var(--talk) }} .talk {{ margin: .2rem 0 0 }}
.scroll {{ overflow-x: auto }} table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0 }}
th, td {{ border-bottom: 1px solid var(--line) }} th {{ font-weight: 500; white-space: nowrap }}
td.n, th.n {{ text-align: right; font-variant-numeric: tabular-nums }}
pre {{ background: var(--soft); padding: .8rem 1rem; overflow-x: auto; border-radius: .4rem }}
code, pre {{ font-family: ui-monospace, monospace; font-size: .9em }}
code.digest {{ overflow-wrap: anywhere }}
pre.words {{ font: inherit; background: none; padding: 0; white-space: pre-wrap; overflow-wrap: anywhere }}
.yanked {{ border-left: .25rem solid var(--bad); padding-left: .8rem; color: var(--bad) }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def page(title: str, body: Iterable[Html], *, meta: Html | None = None) -> bytes:
    """Return a whole page; it runs no script and loads nothing."""
    text = _PAGE.format(title=escape(title), body="\n".join(body), meta=f"{meta}\n" if meta else "")
    return text.encode("utf-8", "replace")


def text(words: object) -> Html:
    """Return words as markup."""
    return Html(escape(str(words)))


def tag(name: str, content: Html, **attributes: str) -> Html:
    """Return an element; `class_` stands for `class`."""
    shown = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{shown}>{content}</{name}>")


def words(name: str, content: object, **attributes: str) -> Html:
    """Return an element with escaped words in it."""
    return tag(name, text(content), **attributes)


def link(url: str, content: object) -> Html:
    """Return a link; the caller knows that the URL is relative, http or https."""
    return words("a", content, href=url)


def table(header: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Iterable[int] = ()) -> Html:
    """Return a table; cells of `Html` stay as they are, columns in `numbers` go to the right."""
    right = set(numbers)
    lines = [_row("td", row, right) for row in rows]
    if header:
        lines.insert(0, _row("th", header, right))
    return tag("div", tag("table", Html("\n".join(lines))), class_="scroll")


def _row(kind: str, cells: Sequence[object], right: set[int]) -> Html:
    shown = [
        tag(
            kind,
            cell if isinstance(cell, Html) else text(cell),
            **({"class_": "n"} if index in right else {}),
        )
        for index, cell in enumerate(cells)
    ]
    return tag("tr", Html("".join(shown)))
