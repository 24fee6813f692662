"""The Operator view: every vector, absurd links, and the numbers it shows, against the formula by hand."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from app import text
from app.compute import Unusable, operator, vectors
from app.compute.vectors import PRESETS, Vector
from kwta import timing
from kwta.activation import winners

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60


def opened(**link) -> AppTest:
    """The Operator view at this link."""
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=SECONDS)
    for key, value in link.items():
        at.query_params[key] = str(value)
    at.switch_page("views/operator.py")
    return at.run()


def told(at: AppTest) -> dict:
    """What the page handed to the picture."""
    proto = next(
        e.proto for e in walk(at._tree) if getattr(e, "type", "") == "bidi_component" and "pool" in sent(e.proto)
    )
    return sent(proto)


def sent(proto) -> dict:
    text = proto.mixed.json if proto.WhichOneof("data") == "mixed" else proto.json
    return json.loads(text or "{}")


def walk(node):
    yield node
    for child in getattr(node, "children", {}).values():
        yield from walk(child)


def by_hand(y: list[float], k: int) -> list[bool]:
    """Winners by sorting: larger first, of equal values the lower index."""
    order = sorted(range(len(y)), key=lambda j: (-y[j], j))[:k]
    return [j in order for j in range(len(y))]


@pytest.fixture(scope="module")
def default() -> AppTest:
    return opened()


def test_the_default_picture_shows_gamma_0_2_of_32(default: AppTest):
    shown = told(default)
    assert not default.exception
    assert (shown["n"], shown["k"], shown["gamma"], shown["block"]) == (32, 6, 0.2, 4)
    assert sum(shown["won"]) == 6
    assert shown["threshold"] == sorted(shown["pool"][:32])[-6]
    assert shown["autoplay"] is True


@pytest.mark.parametrize("preset", [*PRESETS])
def test_every_vector_shows_the_winners_of_the_definition(preset: str):
    at = opened(preset=preset, gamma=0.3, seed=3)
    shown = told(at)
    y = shown["pool"][: shown["n"]]
    assert not at.exception
    assert not at.warning
    assert shown["won"] == by_hand(y, winners(0.3, shown["n"]))
    assert shown["autoplay"] is False


@pytest.mark.parametrize("detail", ["about", "values", "python", "speed"])
def test_every_detail_opens(detail: str):
    at = opened(detail=detail)
    assert not at.exception
    assert len(at.dataframe) == (detail == "values")
    assert len(at.code) == (detail == "python")
    assert bool([b for b in at.button if b.key == "measure"]) == (detail == "speed")


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ({"gamma": 7}, "above 0 and up to 1, got '7'"),
        ({"gamma": "abc"}, "got 'abc'"),
        ({"gamma": "nan"}, "got 'nan'"),
        ({"gamma": 0}, "got '0'"),
        ({"gamma": "-0.2"}, "got '-0.2'"),
        ({"seed": -1}, "from 0 to 2147483647, got '-1'"),
        ({"seed": "9" * 400}, "got '9999"),
        ({"seed": "1.5"}, "got '1.5'"),
        ({"data": "nonsense"}, "one of digits,"),
        ({"data": "/etc/passwd"}, "one of digits,"),
        ({"net": "64,,x"}, "got '64,,x'"),
        ({"net": "999999999999"}, "1 to 4096 units"),
        ({"net": "conv"}, "got 'conv'"),
        ({"net": ",".join(["8"] * 50)}, "1 to 8 hidden layers"),
        ({"device": "toaster"}, "one of auto, "),
        ({"preset": "foo"}, "one of gaussian,"),
        ({"n": 1000}, "from 2 to 96, got '1000'"),
        ({"n": "٣"}, "got '٣'"),
        ({"block": "abc"}, "got 'abc'"),
        ({"detail": "zz"}, "got 'zz'"),
        ({"preset": "own", "values": "1,2,nan"}, "Entry 2 must be a number"),
        ({"preset": "own", "values": "1"}, "2 to 96 numbers"),
        ({"preset": "own", "values": "1e400,2"}, "Entry 0 must be a number"),
        ({"preset": "own", "values": "<script>,2"}, "got '<script>'"),
    ],
)
def test_an_absurd_link_is_answered_with_a_sentence_and_the_default(link: dict, message: str):
    at = opened(**link)
    assert not at.exception
    assert text.plainly(message) in at.warning[0].value
    shown = told(at)
    assert (shown["gamma"], shown["k"]) == (0.2, winners(0.2, shown["n"]))


def test_many_absurd_values_make_one_notice():
    at = opened(gamma=7, seed=-1, data="x", net="", preset="foo", n="", block="-")
    assert not at.exception
    assert len(at.warning) == 1
    assert at.warning[0].value.count("\n- ") >= 4


def test_values_between_the_steps_are_snapped():
    shown = told(opened(gamma="0.123456"))
    assert shown["gamma"] == 0.12
    assert told(opened(gamma="0.0001"))["gamma"] == 0.01


def test_a_gamma_without_winner_says_so_and_nobody_wins():
    at = opened(gamma=0.01)
    assert not at.exception
    assert told(at)["k"] == 0
    assert told(at)["threshold"] is None
    assert not any(told(at)["won"])
    assert any("without a winner" in caption.value for caption in at.caption)


def test_own_values_bring_their_number_along():
    shown = told(opened(preset="own", values="3,−1,3,5", gamma=0.5))
    assert shown["pool"][:4] == [3, -1, 3, 5]
    assert (shown["n"], shown["k"], shown["won"]) == (4, 2, [True, False, False, True])


def test_typed_values_are_taken_and_wrong_ones_are_answered():
    at = opened(preset="own")
    at.text_input(key="values").set_value("1 2 3").run()
    assert told(at)["pool"][:3] == [1, 2, 3]
    assert told(at)["n"] == 3
    at.text_input(key="values").set_value("1, two").run()
    assert not at.exception
    assert "got 'two'" in at.warning[0].value
    at.text_input(key="values").set_value("4, 5").run()
    assert not at.warning


def test_choosing_another_vector_restores_the_usual_number():
    at = opened(preset="own", values="1,2,3")
    at.segmented_control(key="preset").set_value("ties").run()
    assert told(at)["n"] == 32


def test_the_seed_fixes_the_vector_and_another_seed_another():
    assert told(opened(seed=5))["pool"] == told(opened(seed=5))["pool"]
    at = opened(seed=5)
    before = told(at)["pool"]
    at.button(key="new_seed").click().run()
    assert told(at)["pool"] != before


def test_the_speed_is_measured_only_on_demand(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(timing, "SIZES", (64, 256))
    monkeypatch.setattr(timing, "SECONDS_PER_SIZE", 0.01)
    at = opened(detail="speed")
    assert "Measured on" not in " ".join(m.value for m in at.markdown)
    at.button(key="measure").click().run()
    assert not at.exception
    assert "ns per entry" in " ".join(m.value for m in at.markdown)


def test_figure_code_is_imported_only_where_it_is_needed():
    """Plotly doubles what a first visit loads, so no module of this view imports it at its head."""
    for name in (
        "views/operator.py",
        "compute/operator.py",
        "compute/vectors.py",
        "main.py",
        "shell.py",
        "state.py",
        "controls.py",
    ):
        head = ast.parse((ROOT / "app" / name).read_text(encoding="utf-8")).body
        imports = [ast.unparse(node) for node in head if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not [line for line in imports if "plot" in line], name


@pytest.mark.parametrize("preset", [*PRESETS])
@pytest.mark.parametrize("gamma", [0.01, 0.2, 1.0])
def test_the_snippet_runs_and_prints_the_same(preset: str, gamma: float):
    found = operator.answer(Vector(preset, seed=1, n=20), gamma, 5)
    printed: list = []
    exec(operator.snippet(found, gamma), {"print": lambda *values: printed.append(values)})
    if not found.k:
        assert "no winner" in str(printed[0][0])
        return
    threshold, who, out, others = printed
    assert threshold[0].item() == found.threshold
    assert who[0].tolist() == np.flatnonzero(found.won).tolist()
    np.testing.assert_array_equal(out[0].numpy(), found.kwta)
    for shown, expected in zip(others, (found.relu, found.local, found.pooled), strict=True):
        np.testing.assert_array_equal(shown.numpy(), expected)


@given(
    st.lists(st.integers(-4, 4).map(lambda v: v / 2), min_size=2, max_size=96),
    st.integers(1, 100).map(lambda g: g / 100),
    st.integers(2, 12),
)
def test_an_answer_agrees_with_the_definition(values: list[float], gamma: float, block: int):
    found = operator.answer(Vector("own", 0, len(values), tuple(values)), gamma, block)
    assert found.y.tolist() == values
    assert found.won.tolist() == by_hand(values, found.k)
    assert found.k == round(100 * gamma) * len(values) // 100
    assert found.kwta.tolist() == [v if w else 0 for v, w in zip(values, found.won, strict=True)]
    assert found.relu.tolist() == [max(v, 0) for v in values]
    assert len(values) % found.block == 0
    assert found.pooled.tolist() == [max(values[i : i + found.block]) for i in range(0, len(values), found.block)]
    assert (found.tied.sum() == 0) == (found.k == 0 or values.count(found.threshold) == 1)
    assert sorted(found.rank.tolist()) == list(range(1, len(values) + 1))


def test_the_csv_holds_the_table():
    found = operator.answer(Vector("ties", 2, 8), 0.5, 4)
    head, *rows = operator.csv(found).splitlines()
    assert head == "index,y,rank,wins,tie,k-WTA,ReLU,local WTA (4),max pooling (4)"
    assert [float(row.split(",")[1]) for row in rows] == found.y.tolist()
    assert [row.split(",")[3] == "True" for row in rows] == found.won.tolist()


@given(st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 3) + 0.0), min_size=2, max_size=96))
def test_written_values_are_read_back(values: list[float]):
    assert vectors.parsed(vectors.written(tuple(values))) == pytest.approx(values, rel=1e-11)


@pytest.mark.parametrize("text", ["", "1", "1,x", "1,inf", "nan 2", "1e7,2", "1 " * 97])
def test_a_text_that_is_no_vector_is_refused(text: str):
    with pytest.raises(Unusable, match="number"):
        vectors.parsed(text)


def test_both_sides_agree_on_k_gamma_and_block():
    """The rules of operator.js, by its own words: k from hundredths, γ from k, and the block that divides N."""
    script = (ROOT / "app" / "components" / "operator.js").read_text(encoding="utf-8")
    assert "Math.floor((hundredths * n) / 100)" in script
    assert "Math.ceil((100 * k) / n)" in script
    for n in range(2, 97):
        for hundredths in range(1, 101):
            assert operator.winners_or_none(hundredths / 100, n) == hundredths * n // 100
        for k in range(1, n + 1):
            assert winners(-(-100 * k // n) / 100, n) == k


def test_a_measurement_says_what_was_measured_where():
    found = timing.measured(timing.Comparison(sizes=(16, 64), entries=1 << 10, repeats=3, device="cpu"))
    assert found.n.tolist() == [16, 64]
    assert found.repeats.tolist() == [3, 3]
    assert re.fullmatch(r"CPU, \d+ threads?", found.where)
    for quartiles in (found.kwta, found.formula):
        assert (quartiles > 0).all()
        assert (np.diff(quartiles, axis=1) >= 0).all()


def test_the_formula_that_is_timed_agrees_with_kwta_without_ties():
    from kwta.activation import kwta

    y = torch.randn(5, 33, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(timing.formula(y, 7), kwta(y, 7), rtol=0, atol=0)


@pytest.mark.parametrize("sizes", [(), (1 << 20,)])
def test_a_row_longer_than_all_entries_is_refused(sizes: tuple[int, ...]):
    with pytest.raises(ValueError, match="sizes must be some row lengths"):
        timing.measured(timing.Comparison(sizes=sizes))


def test_the_figure_shows_the_medians_with_their_quartiles():
    from app.plots import operator as plots

    found = timing.measured(timing.Comparison(sizes=(16, 64), entries=1 << 10, repeats=3, device="cpu"))
    figure = plots.time_per_entry(found)
    traces = {trace.name: trace for trace in figure.data}
    shown = traces["kwta(x, k)"]
    np.testing.assert_allclose(shown.y, 1e9 * found.kwta[:, 1])
    np.testing.assert_allclose(np.array(shown.y) + shown.error_y.array, 1e9 * found.kwta[:, 2])
    assert found.where in plots.in_words(found)
