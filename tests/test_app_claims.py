"""The Claims view: the slip against the loop by hand and against the publication, absurd links, lines that run."""

import io
import xml.etree.ElementTree as ElementTree
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from app.compute import claims, data, trained
from app.controls import Setup
from app.plots import claims as plots
from app.plots import published_table
from kwta import published

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60
DIGITS = Setup()
TABLES = {"figures": claims.figures, "origin": claims.origin}


def opened(**link) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=SECONDS)
    for key, value in link.items():
        at.query_params[key] = str(value)
    at.switch_page("views/claims.py")
    return at.run()


def untrained(activation: str = "kwta") -> trained.Snapshot:
    return trained.snapshot(trained.which(DIGITS, "untrained", activation))


def courses(rule: str, eps: float = 0.1) -> tuple[claims.Course, ...]:
    return tuple(claims.course(untrained(phi), eps, rule) for phi in trained.ACTIVATIONS)


def by_hand(net, x: torch.Tensor, labels: torch.Tensor, eps: float, step: float) -> tuple[list[int], list[float]]:
    """Sign steps, clipped to the ball and to [0, 1]: how many are right, and how far they are in units of ε."""
    here, right, moved = x.clone(), [], []
    for index in range(claims.STEPS + 1):
        at = here.clone().requires_grad_()
        logits = net(at)
        right.append(int((logits.argmax(dim=1) == labels).sum()))
        moved.append(float((here - x).abs().flatten(1).amax(1).mean()) / eps)
        if index < claims.STEPS:
            (slope,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"), at)
            here = (here + step * slope.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return right, moved


@pytest.mark.parametrize(("rule", "step"), [("relative", 0.003 * 0.1), ("absolute", 0.1 / 10)])
def test_the_course_is_that_of_sign_steps_by_hand(rule, step):
    known = data.data("digits")
    x, labels = (torch.tensor(part[: claims.IMAGES]) for part in (known.x_test, known.labels_test))
    for snapshot, found in zip((untrained("kwta"), untrained("relu")), courses(rule), strict=True):
        right, moved = by_hand(snapshot.net, x, labels, 0.1, step)
        assert np.abs(found.right - right).max() <= 1  # a place on a border may round to either side
        np.testing.assert_allclose(found.moved, moved, atol=1e-3)


def test_forty_relative_steps_travel_twelve_percent_of_the_ball_and_absolute_ones_all_of_it():
    for slip, absolute in zip(courses("relative"), courses("absolute"), strict=True):
        assert 0.05 < slip.moved[-1] <= 0.12 + 1e-5
        assert 0.9 < absolute.moved[-1] <= 1 + 1e-5


def test_a_longer_step_leaves_fewer_right():
    shown, others = courses("absolute"), courses("relative")
    assert shown[1].right[-1] < others[1].right[-1]
    words = claims.in_words(shown, others)
    assert f"{shown[1].share[-1]:.1f} % [" in words
    assert "**ReLU**" in words
    assert words == claims.in_words(others, shown)


def test_the_tables_hold_all_that_was_published_with_its_source():
    assert len(claims.origin()) == len(published.ORIGIN_TABLE) == 24
    assert sum("its training failed" in row["network"] for row in claims.origin()) == 1
    assert [row["robust %"] for row in claims.figures()] == [figure.robust for figure in published.FIGURES]
    assert all(row["source"] for row in claims.figures())


def _curves(figure) -> list[list[float]]:
    return [list(trace.y) for trace in figure.data]


def test_the_figures_draw_both_rules_and_name_the_ends():
    shown, others = courses("absolute"), courses("relative")
    right = plots.right(shown, others)
    assert _curves(right) == [list(one.share) for one in (*others, *shown)]
    assert [note["text"] for note in right.to_plotly_json()["layout"]["annotations"]] == [
        f"{one.share[-1]:.1f} %" for one in shown
    ]
    moved = plots.moved(shown, others)
    assert _curves(moved) == [list(100 * one.moved) for one in (*others, *shown)]


@pytest.mark.parametrize(
    "ends", [(0, 0), (0, 1.5), (3, 0), (100, 100), (98.5, 100), (50, 50), (40, 45), (100, 0), (20.5, 90)]
)
def test_the_labels_at_the_ends_of_lines_touch_neither_each_other_nor_the_axis(ends):
    shown = [
        replace(one, right=np.full(41, end * one.n / 100)) for one, end in zip(courses("relative"), ends, strict=True)
    ]
    figure = plots.right(shown, shown)
    places = [plots.TALL * note.y / plots.TOP + note.yshift for note in figure.layout.annotations]
    half = plots.LABEL / 2
    assert abs(places[0] - places[1]) > 2 * half - 1e-9
    assert all(half - 1e-9 < place < plots.TALL - half + 1e-9 for place in places)
    assert (places[0] - places[1]) * (ends[0] - ends[1]) >= 0
    assert max(abs(note.yshift) for note in figure.layout.annotations) < 3 * half + 1e-9


@pytest.mark.parametrize("link", [{}, {"step": "absolute", "ceps": 0.25}, {"data": "moons"}, {"net": "conv 2,4 / 12"}])
def test_the_view_opens_at_a_link(link):
    at = opened(**link)
    assert not at.exception
    assert not at.warning
    assert any("Wilson 95 %" in block.value for block in at.markdown)


@pytest.mark.parametrize("link", [{"ceps": "-3"}, {"ceps": "nan"}, {"ceps": "1e999"}, {"step": "rm"}])
def test_an_absurd_link_gives_a_message_and_the_default(link):
    at = opened(**link)
    assert not at.exception
    assert len(at.warning) == 1
    assert next(iter(link.values())) in at.warning[0].value.replace("\\", "")
    assert any("Wilson 95 %" in block.value for block in at.markdown)


@pytest.mark.parametrize("below", ["story", "origin", "python"])
def test_what_is_below_can_be_chosen(below):
    at = opened(claims_below=below)
    assert not at.exception
    tables = [block.proto.body for block in at.get("html") if "published-box" in block.proto.body]
    assert len(tables) == (below != "python")
    assert not any("None" in table or "nan" in table for table in tables)
    assert len(at.code) == (below == "python")


def test_the_lines_of_python_print_what_the_page_shows():
    found = courses("absolute", 0.2)[0]
    said = io.StringIO()
    with redirect_stdout(said):
        exec(claims.snippet(found.asked.which, 0.2, "absolute"), {})
    last = said.getvalue().splitlines()[-1]
    assert last == f"step 40: {found.right[-1]} of {found.n} right, moved {found.moved[-1]:.3f} eps"


def test_every_published_figure_stands_in_its_table_and_none_that_was_not_reported():
    tables = {name: published_table.html(rows(), name) for name, rows in TABLES.items()}
    for name, table in tables.items():
        found = ElementTree.fromstring(table[table.index("<table") : table.index("</table>") + 8])
        lines = [["".join(cell.itertext()) for cell in line] for line in found.iter("tr")]
        rows = TABLES[name]()
        alike = {key: row for key, row in rows[0].items() if all(other[key] == row for other in rows)}
        assert lines[0] == [key for key in rows[0] if key not in alike]
        for line, row in zip(lines[1:], rows, strict=True):
            for cell, value in zip(line, (row[key] for key in lines[0]), strict=True):
                assert cell == "–" if value is None else cell == value or float(cell) == value
        assert all(f"{key}: {value}" in table for key, value in alike.items())
    assert "source: RobustBench" in tables["figures"]
    assert "– not reported" in tables["figures"]  # one accuracy without attack
    assert "not reported" not in tables["origin"]


def test_words_in_a_table_are_no_markup():
    table = published_table.html([{"<i>a</i> %": "<script>", "b": None}], '"><b>')
    assert "<script>" not in table
    assert "<i>" not in table
    assert '"><b>' not in table
    with pytest.raises(ValueError, match="at least one row"):
        published_table.html([], "")
