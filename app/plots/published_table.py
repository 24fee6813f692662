"""Published figures as an HTML table that wraps: nothing is cut, and what was not reported is an en dash."""

from collections.abc import Mapping, Sequence
from html import escape

# The page takes what `st.html` brings for mere style, and out of the flow.
STYLE = """<style>
[class*="st-key-claims_table"] [data-testid="stElementContainer"] { position: static !important; }
.published-box { overflow-x: auto; }
.published { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; margin: 0;
  font-size: 0.95rem; }
.published th, .published td { border: 0; border-bottom: 1px solid rgba(128,128,128,0.25);
  padding: 0.2rem 0.8rem 0.2rem 0; text-align: left; vertical-align: baseline; line-height: 1.25; }
.published thead th { border-bottom-width: 2px; font-weight: 600; }
.published .number { text-align: right; white-space: nowrap; }
.published tr > :last-child { padding-right: 0; }
.published-said { font-size: 0.85rem; opacity: 0.8; margin: 0.3rem 0 0; }
@media (max-width: 640px) {
  .published { font-size: 0.78rem; }
  .published th, .published td { padding-right: 0.4rem; overflow-wrap: break-word; }
}
</style>"""
MISSING = "–"
Value = str | float | None


def html(rows: Sequence[Mapping[str, Value]], label: str) -> str:
    """The rows under their names, which all rows share; columns of percentages ("… %") have two decimals.

    Every word is escaped. What is None becomes an en dash, which a line below explains; what is the same in all rows is
    told there once. ValueError without rows.
    """
    if not rows:
        raise ValueError("a table needs at least one row, got none")
    alike = [name for name in rows[0] if len(rows) > 1 and len({row[name] for row in rows}) == 1]
    names = [name for name in rows[0] if name not in alike]
    numbers = {name for name in names if any(isinstance(row[name], float) for row in rows)}
    heads = "".join(f'<th{_class(name, numbers)} scope="col">{escape(name)}</th>' for name in names)
    lines = "".join(
        "<tr>" + "".join(f"<td{_class(name, numbers)}>{written(name, row[name])}</td>" for name in names) + "</tr>"
        for row in rows
    )
    told = [f"{escape(name)}: {written(name, rows[0][name])}" for name in alike]
    if any(row[name] is None for row in rows for name in names):
        told.append(f"{MISSING} not reported")
    said = f'<p class="published-said">{"; ".join(told)}</p>' if told else ""
    return (
        f'{STYLE}<div class="published-box" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<table class="published"><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>{said}'
    )


def _class(name: str, numbers: set[str]) -> str:
    return ' class="number"' if name in numbers else ""


def written(name: str, value: Value) -> str:
    """A cell of the column `name`, escaped.

    >>> written("robust %", 52.4), written("ε", 0.031), written("clean %", None)
    ('52.40', '0.031', '–')
    """
    if value is None:
        return MISSING
    if isinstance(value, str):
        return escape(value)
    return f"{value:.2f}" if name.endswith("%") else f"{value:g}"
