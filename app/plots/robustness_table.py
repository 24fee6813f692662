"""The main table of the Robustness view as HTML: in every cell a number, its interval, and both as a bar."""

from collections.abc import Iterable
from html import escape
from typing import Protocol

# The page takes what `st.html` brings for mere style, and out of the flow. On a phone a column comes to rest beside the
# names, never with its first digits under them, and 1.7 columns are in sight: the cut one tells of more. The right edge
# fades while there is more (where the browser knows animations by scrolling).
STYLE = """<style>
.st-key-robust_table [data-testid="stElementContainer"] { position: static !important; }
.robust-box { overflow-x: auto; }
.robust { border-collapse: separate; border-spacing: 0; width: 100%; font-variant-numeric: tabular-nums; margin: 0; }
.robust-said { font-size: 0.8rem; opacity: 0.8; margin: 0; }
.robust th, .robust td { border: 0; border-bottom: 1px solid rgba(128,128,128,0.25); padding: 0.1rem 0.6rem 0.12rem 0;
  text-align: left; line-height: 1.12; white-space: nowrap; }
.robust small { font-weight: 400; font-size: 0.72rem; opacity: 0.8; }
.robust thead th { font-size: 0.95rem; vertical-align: bottom; }
.robust thead small { display: block; }
.robust tbody th { font-weight: 500; font-size: 0.9rem; }
.robust th:first-child { position: sticky; left: 0; z-index: 1; background: light-dark(#ffffff, #14171a); }
.robust tbody th small { margin-left: 0.4em; }
.robust td { font-size: 0.92rem; min-width: 6.6rem; }
.robust.crowded tbody th small { display: none; }
.robust.crowded td { font-size: 0.82rem; min-width: 4.8rem; padding-right: 0.4rem; }
.robust.crowded small { font-size: 0.66rem; }
.robust .worst th, .robust .worst td { border-top: 2px solid currentColor; font-weight: 700; padding-top: 0.2rem; }
.robust .clean td, .robust .clean th { border-bottom: 2px solid rgba(128,128,128,0.5); }
.robust .lowest b::after { content: " ◂"; }
.robust .bar { position: relative; height: 0.28rem; background: rgba(128,128,128,0.18); }
.robust .bar i { position: absolute; top: 0; bottom: 0; left: 0; background: #2f8fc9; }
.robust .bar s { position: absolute; top: 25%; bottom: 25%; background: currentColor; opacity: 0.75; }
.robust .masked { color: #e0701a; font-weight: 700; }
.robust-key { margin: -0.5rem 0 0; }
.robust-key summary, .robust-key dt, .robust-key dd { font-size: 0.8rem; line-height: 1.35; }
.robust-key summary { cursor: pointer; opacity: 0.8; }
.robust-key dl { margin: 0.3rem 0; display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 0.8rem; }
.robust-key dt { font-weight: 600; }
.robust-key dd { margin: 0; }
.robust-key code { font-size: 0.9em; font-weight: 400; margin-left: 0.3em; }
@supports (animation-timeline: scroll()) {
  .robust-box { mask: linear-gradient(to left, transparent, #000 3rem) 0 0 / calc(100% + 3rem) 100% no-repeat;
    animation: robust-fade linear; animation-timeline: scroll(self inline); }
  @keyframes robust-fade { from, 90% { mask-position: 100% 0; } to { mask-position: 0 0; } }
}
@media (max-width: 640px) {
  .robust tbody th small { display: none; }
  .robust-box { --names: 8.1rem; --column: calc((100cqw - var(--names)) / 1.7);
    scroll-snap-type: x mandatory; scroll-padding-left: var(--names); }
  .robust-frame { container-type: inline-size; }
  .robust-box .robust th:first-child { width: var(--names); min-width: var(--names); white-space: normal;
    scroll-snap-align: none; padding-right: 0.4rem; }
  .robust-box .robust th { scroll-snap-align: start; font-size: 0.86rem; }
  .robust-box .robust td { min-width: var(--column); }
  .robust-box .robust tr > :last-child { min-width: calc(1.7 * var(--column));
    padding-right: calc(0.7 * var(--column)); }
  .robust-box:has(.pair) { --column: calc((100cqw - var(--names)) / 2); }
  .robust-box .robust.pair tr > :last-child { min-width: var(--column); padding-right: 0; }
  .robust-box .robust.pair td { font-size: 0.82rem; padding-right: 0.3rem; }
  .robust.pair td small { font-size: 0.66rem; }
  .robust-key dl { grid-template-columns: 1fr; gap: 0; }
  .robust-key dd { margin-bottom: 0.35rem; }
}
</style>"""
# From so many columns on there is no room for what the attacks may spend.
CROWDED = 6
# So many fit beside the names on a phone, in smaller type.
PAIR = 2
KEY = "What each attack does, and its name in files and on the command line"


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
    size = " crowded" if len(table.heads) >= CROWDED else " pair" if len(table.heads) <= PAIR else ""
    return (
        f'{STYLE}<p class="robust-said">{caption}</p>'
        f'<div class="robust-frame"><div class="robust-box" tabindex="0" role="region" aria-label="{caption}">'
        f'<table class="robust{size}"><thead><tr><th scope="col">Attack</th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></div>"
    )


def key(attacks: Iterable[tuple[str, str, str]]) -> str:
    """What each attack does: its name in the table, in files and on the command line, and half a sentence."""
    lines = "".join(
        f"<dt>{escape(name)} <code>{escape(elsewhere)}</code></dt><dd>{escape(does)}</dd>"
        for name, elsewhere, does in attacks
    )
    return f'<details class="robust-key"><summary>{KEY}</summary><dl>{lines}</dl></details>'


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
