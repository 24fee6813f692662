"""The main table of the Robustness view as HTML: in every cell a number, its interval, and both as a bar."""

from html import escape
from typing import Protocol

STYLE = """<style>
.robust-box { overflow-x: auto; }
.robust { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; margin: 0; }
.robust caption { caption-side: top; text-align: left; font-size: 0.8rem; opacity: 0.8; padding: 0 0 0.2rem; }
.robust th, .robust td { border: 0; border-bottom: 1px solid rgba(128,128,128,0.3); padding: 0.16rem 0.5rem;
  text-align: left; line-height: 1.15; white-space: nowrap; }
.robust thead th { font-size: 0.95rem; vertical-align: bottom; }
.robust thead small, .robust tbody th small { display: block; font-weight: 400; font-size: 0.7rem; opacity: 0.75; }
.robust tbody th { font-weight: 500; font-size: 0.92rem; position: sticky; left: 0;
  background: var(--robust-ground, inherit); }
.robust td { font-size: 0.95rem; min-width: 6.2rem; }
.robust td small { font-size: 0.7rem; opacity: 0.75; }
.robust .worst th, .robust .worst td { border-top: 2px solid currentColor; font-weight: 700; }
.robust .clean td, .robust .clean th { border-bottom: 2px solid rgba(128,128,128,0.5); }
.robust .lowest b::after { content: " ◂"; }
.robust .bar { position: relative; height: 0.32rem; margin-top: 0.08rem; background: rgba(128,128,128,0.18); }
.robust .bar i { position: absolute; top: 0; bottom: 0; left: 0; background: #2f8fc9; }
.robust .bar s { position: absolute; top: 28%; bottom: 28%; background: currentColor; opacity: 0.75; }
.robust .masked { color: #D55E00; font-weight: 700; }
</style>"""


class Cell(Protocol):
    """A share with its interval in percent, or a note in its place."""

    @property
    def share(self) -> float | None: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def note(self) -> str: ...
    @property
    def lowest(self) -> bool: ...


class Row(Protocol):
    """An attack."""

    @property
    def label(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def cells(self) -> tuple[Cell, ...]: ...


class Table(Protocol):
    """What app.compute.robust makes."""

    @property
    def caption(self) -> str: ...
    @property
    def heads(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def rows(self) -> tuple[Row, ...]: ...


def html(table: Table) -> str:
    """The table; every name is escaped. It scrolls sideways by itself where the window is narrow."""
    heads = "".join(f'<th scope="col">{escape(one)}<small>{escape(two)}</small></th>' for one, two in table.heads)
    body = "".join(map(_row, table.rows))
    caption = escape(table.caption)
    return (
        f'{STYLE}<div class="robust-box" tabindex="0" role="region" aria-label="{caption}"><table class="robust">'
        f'<caption>{caption}</caption><thead><tr><th scope="col">Attack</th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(row: Row) -> str:
    detail = f"<small>{escape(row.detail)}</small>" if row.detail else ""
    cells = "".join(map(_cell, row.cells))
    return f'<tr class="{row.kind}"><th scope="row">{escape(row.label)}{detail}</th>{cells}</tr>'


def _cell(cell: Cell) -> str:
    if cell.share is None:
        return f"<td{' class=masked' if 'masked' in cell.note else ''}>{escape(cell.note)}</td>"
    number = f"<b>{cell.share:.1f}</b> <small>[{cell.low:.0f}, {cell.high:.0f}]</small>"
    width = cell.high - cell.low
    bar = f'<i style="width:{cell.share:.2f}%"></i><s style="left:{cell.low:.2f}%;width:{width:.2f}%"></s>'
    return f'<td{" class=lowest" if cell.lowest else ""}>{number}<div class="bar">{bar}</div></td>'
