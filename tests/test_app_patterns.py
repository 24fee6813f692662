"""The Patterns view: what it shows against brute force, names of inputs, shared training, and absurd links."""

import io
import json
import re
import threading
import zlib
from base64 import urlsafe_b64encode
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from app.compute import Unusable, data, inputs, pattern_block, pattern_distances, patterns, trained, training
from app.compute.pattern_snippet import snippet
from app.compute.patterns import Question
from app.controls import Setup
from app.plots import patterns as plots
from kwta.datasets import load
from kwta.networks import activations

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60
DRAWN = "d85D4b9B_q7-B7Z9eAoP9fwOG7P8NjH9_fmHQ-KDAwF3AAAA"  # somebody's scribble
DIGITS, MOONS = Setup(), Setup(data="moons@0.05", net="16,8", gamma=0.25)
CONV = Setup(net="conv 4,8 / 12", gamma=0.25)


@pytest.fixture(autouse=True, scope="module")
def _no_run_outlives_the_tests():
    yield
    training.run.clear()  # cancels them
    for thread in threading.enumerate():
        if thread.name == "kwta-run":
            thread.join(SECONDS)


def untrained(setup: Setup, activation: str = "kwta") -> trained.Snapshot:
    return trained.snapshot(trained.which(setup, "untrained", activation))


def finished(setup: Setup, activation: str = "kwta", epochs: int = 1) -> trained.Snapshot:
    """A network trained for an epoch by the shared run of its recipe."""
    which = trained.which(setup, "trained", activation)
    short = replace(which.recipe, training=replace(which.recipe.training, epochs=epochs))
    which = replace(which, recipe=short)
    run = training.run(short)
    run.want(10**6)
    run.wait(10**6, SECONDS)
    return trained.snapshot(which)


# What wins.


def by_hand(y: np.ndarray, k: int | None) -> np.ndarray:
    """Winners by sorting: larger first, of equal values the lower index; without k the positive ones."""
    if k is None:
        return y > 0
    order = sorted(range(len(y)), key=lambda j: (-y[j], j))[:k]
    return np.isin(np.arange(len(y)), order)


@pytest.mark.parametrize("setup", [DIGITS, MOONS, CONV], ids=["digits", "moons", "conv"])
@pytest.mark.parametrize("activation", ["kwta", "relu"])
@pytest.mark.parametrize("compare", [*patterns.COMPARISONS])
def test_the_winners_of_every_layer_are_those_found_by_sorting(setup, activation, compare):
    snapshot = untrained(setup, activation)
    found = patterns.answer(snapshot, Question("3", "7", compare, "l2", 0.5, 4))
    assert len(found.x) == (1 if compare == "alone" else 2)
    for layer, k in zip(found.layers, snapshot.which.recipe.net.winners, strict=True):
        assert layer.k == k
        for y, won in zip(layer.y, layer.won, strict=True):
            assert np.array_equal(won, by_hand(y, k))


@pytest.mark.parametrize("setup", [DIGITS, CONV], ids=["digits", "conv"])
def test_overlap_and_distances_are_those_of_sets(setup):
    found = patterns.answer(untrained(setup), Question("0", "5", "input"))
    for layer in found.layers:
        a, b = (set(np.flatnonzero(won).tolist()) for won in layer.won)
        assert layer.counts == [len(a), len(b)]
        assert layer.shared == len(a & b)
        assert layer.hamming == len(a ^ b)
        assert layer.jaccard == pytest.approx(len(a & b) / len(a | b), abs=1e-12)
    assert sum(layer.hamming for layer in found.layers) > 0


def test_pre_activations_and_predictions_are_those_of_the_network():
    snapshot = untrained(CONV)
    found = patterns.answer(snapshot, Question("9"))
    x = torch.tensor(data.data("digits").x_test[9:10])
    with torch.no_grad():
        expected = activations(snapshot.net, x)
        sure = snapshot.net(x).softmax(1)
    assert all(np.array_equal(layer.y, y.flatten(1).numpy()) for layer, y in zip(found.layers, expected, strict=True))
    assert [layer.shape for layer in found.layers] == [(4, 8, 8), (8, 4, 4), (12,)]
    assert np.array_equal(found.sure, sure.numpy())


@pytest.mark.parametrize("norm", [*patterns.NORMS])
def test_delta_stays_in_its_ball_and_box_and_grows_along_a_line(norm):
    def step(radius: float, seed: int = 3) -> np.ndarray:
        found = patterns.answer(untrained(MOONS), Question("0,0", compare="delta", norm=norm, radius=radius, seed=seed))
        return found.x[1] - found.x[0]

    short, long = step(0.1), step(0.4)
    assert np.allclose(4 * short, long, atol=1e-12)
    assert 0 < np.linalg.norm(short, np.inf if norm == "linf" else 2) <= 0.1
    assert not np.allclose(step(0.1, seed=4), short)
    far = patterns.answer(untrained(DIGITS), Question("0", compare="delta", norm=norm, radius=0.5))
    assert far.x.min() >= 0
    assert far.x.max() <= 1
    linf, l2 = far.lengths
    assert linf == np.abs(far.x[1] - far.x[0]).max() <= 0.5
    assert l2 == pytest.approx(np.sqrt(((far.x[1] - far.x[0]) ** 2).sum()))


def test_radius_zero_changes_no_winner():
    found = patterns.answer(untrained(CONV), Question(compare="delta", radius=0.0))
    assert [layer.hamming for layer in found.layers] == [0, 0, 0]
    assert [layer.jaccard for layer in found.layers] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(("norm", "most"), [("linf", 0.5), ("l2", 4.0)])
def test_the_widest_radius_is_half_the_box_in_every_entry(norm, most):
    assert patterns.widest("digits", norm) == pytest.approx(most)


@pytest.mark.parametrize("text", ["-0.1", "nan", "inf", "1e9", "wide", ""])
def test_an_impossible_radius_is_refused(text):
    with pytest.raises(ValueError, match="the radius must be"):
        patterns.read_radius("digits")(text)


# Names of inputs.


@given(st.lists(st.integers(0, 15), min_size=64, max_size=64))
@settings(max_examples=50)
def test_a_drawing_survives_its_name_and_the_name_fits_into_a_link(pixels):
    known = data.data("digits")
    name = inputs.drawing(known, "".join(f"{level:x}" for level in pixels))
    assert re.fullmatch(r"d[A-Za-z0-9_-]{1,60}", name)
    assert inputs.levels(known, name).ravel().tolist() == pixels
    found = inputs.found(known, name)
    assert found.x.dtype == np.float32
    assert np.array_equal(found.x, (np.array(pixels) / 15).astype(np.float32).reshape(1, 8, 8))
    assert (found.index, found.label) == (None, None)


@pytest.mark.parametrize("levels", ["", "0" * 63, "0" * 65, "g" * 64, "F" * 64])
def test_pixels_that_do_not_fit_are_refused(levels):
    with pytest.raises(ValueError, match="64 pixels"):
        inputs.drawing(data.data("digits"), levels)


def named(content: bytes) -> str:
    """A drawing's name for bytes that need not be one."""
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return "d" + urlsafe_b64encode(squeezed.compress(content) + squeezed.flush()).decode().rstrip("=")


BOMB = named(bytes(2_000_000))


@pytest.mark.parametrize(
    "name", ["d", "d!", "dAAAA", "d" + "A" * 5000, BOMB, "-1", "359", "1e2", "0.1,0.2", "٣", "x" * 999]
)
def test_a_name_that_digits_do_not_have_is_refused_in_a_short_sentence(name):
    with pytest.raises(ValueError, match=r"drawing|must be|numbers 0 to 358") as refused:
        inputs.found(data.data("digits"), name)
    assert len(str(refused.value)) < 200


def test_a_point_outside_the_data_box_is_refused_with_the_range_and_one_on_its_edge_is_not():
    known = data.data("moons")
    low, high = known.box
    for outside in (f"{high + 1},0", f"0,{low - 0.1}", "1e30,0"):
        with pytest.raises(ValueError, match=rf"between {low:g} and {high:g} here, got '"):
            inputs.found(known, outside)
    rounded = round(high, 3) + 0.0005
    assert inputs.found(known, f"{rounded},{low}").x.tolist() == np.float32([high, low]).tolist()


def test_no_part_of_a_drawings_name_is_a_drawing():
    known = data.data("digits")
    assert inputs.found(known, DRAWN).name == DRAWN
    for length in range(1, len(DRAWN)):
        with pytest.raises(ValueError, match="drawing"):
            inputs.found(known, DRAWN[:length])


@pytest.mark.parametrize("n", [0, 31, 33])
def test_a_drawing_of_another_size_is_refused(n):
    assert inputs.found(data.data("digits"), named(bytes(32))).x.shape == (1, 8, 8)
    with pytest.raises(ValueError, match="8 × 8 pixels"):
        inputs.found(data.data("digits"), named(bytes(n)))


def test_a_drawing_of_other_data_is_refused():
    name = inputs.drawing(data.data("digits"), "7" * 64)
    with pytest.raises(ValueError, match="or a point such as"):
        inputs.found(data.data("moons"), name)


def test_a_point_keeps_its_name():
    known = data.data("moons")
    low, high = known.box
    far = inputs.found(known, f"{high:.4f},{low:.4f}")
    assert far.x.tolist() == pytest.approx([high, low])
    assert inputs.found(known, far.name).name == far.name
    assert inputs.found(known, " 0.25, -0.5 ").name == "0.25,-0.5"
    assert inputs.found(known, "12").label == known.labels_test[12]
    for text in ("0.1", "0.1,0.2,0.3", "nan,0", "0,inf", "a,b"):
        with pytest.raises(ValueError, match="an input must be"):
            inputs.found(known, text)


# The table, the block of bytes, and the lines of Python.


def test_the_table_has_a_row_for_every_unit_and_the_csv_reads_back():
    found = patterns.answer(untrained(CONV), Question("0", "1", "input"))
    whole = patterns.table(found)
    assert list(whole) == ["layer", "unit", "map", "row", "column", "y", "wins", "y′", "wins′"]
    assert {len(column) for column in whole.values()} == {256 + 128 + 12}
    head, *rows = patterns.csv(found).splitlines()
    assert head == ",".join(whole)
    assert len(rows) == 256 + 128 + 12
    layer, unit, plane, row, column, y, wins, *_ = rows[256 + 1 * 16 + 2 * 4 + 3].split(",")
    assert (layer, unit, plane, row, column) == ("2", "27", "1", "2", "3")
    assert np.float32(y) == found.layers[1].y[0, 27]
    assert wins == str(bool(found.layers[1].won[0, 27]))
    dense = patterns.table(found, 3)
    assert set(dense["layer"].tolist()) == {3}
    assert "map" not in dense


def unpacked(block: bytes) -> tuple[dict, bytes]:
    length = int.from_bytes(block[:4], "little")
    return json.loads(block[4 : 4 + length]), block[4 + length :]


@pytest.mark.parametrize("setup", [DIGITS, MOONS, CONV], ids=["digits", "moons", "conv"])
def test_a_block_holds_the_answer_to_the_byte(setup):
    snapshot, known = untrained(setup), data.data(setup.data)
    found = patterns.answer(snapshot, Question("2", "4", "input"))
    header, body = unpacked(pattern_block.packed(snapshot, found, {}, 5, ""))
    expected = b"".join(x.astype("<f4").tobytes() for x in found.x)
    for layer in found.layers:
        expected += layer.y.tobytes() + layer.won.tobytes()
    assert body.startswith(expected)
    labels = body[len(expected) :][: len(known.labels_test)]
    assert list(labels) == known.labels_test.tolist()
    assert header["seq"] == 5
    assert [layer["hamming"] for layer in header["layers"]] == [layer.hamming for layer in found.layers]
    without, same = unpacked(pattern_block.packed(snapshot, found, {}, 5, setup.data))
    assert "gallery" not in without
    assert same == expected


def printed(code: str) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(code, "snippet", "exec"), {})
    return out.getvalue()


@pytest.mark.parametrize(
    ("setup", "question"),
    [
        (DIGITS, Question("5")),
        (DIGITS, Question(DRAWN, "8", "input")),
        (CONV, Question("1", DRAWN, "input")),
        (CONV, Question("1", compare="delta", norm="l2", radius=1.5, seed=11)),
        (MOONS, Question("0.3,-0.2", "4", "input")),
        (MOONS, Question("7", compare="delta", radius=0.25)),
    ],
)
def test_the_python_lines_run_and_print_the_numbers_of_the_picture(setup, question):
    snapshot = untrained(setup)
    found = patterns.answer(snapshot, question)
    lines = printed(snippet(snapshot.which, question))
    for layer in found.layers:
        assert f"{np.array(layer.counts)} of {layer.n} win" in lines
    if question.compare != "alone":
        distances = re.findall(r"Hamming (\d+) Jaccard ([\d.]+)", lines)
        assert [int(hamming) for hamming, _ in distances] == [layer.hamming for layer in found.layers]
        assert [float(j) for _, j in distances] == pytest.approx([layer.jaccard for layer in found.layers])


def test_the_python_lines_train_the_network_that_is_shown():
    snapshot = finished(MOONS)
    question = Question("7", "9", "input")
    found = patterns.answer(snapshot, question)
    lines = printed(snippet(snapshot.which, question))
    assert [int(h) for h in re.findall(r"Hamming (\d+)", lines)] == [layer.hamming for layer in found.layers]


# The network, trained in the background.


def test_a_trained_network_comes_from_the_run_that_the_train_view_shows():
    which = trained.which(MOONS)
    assert which.recipe.training.epochs == 20
    assert which.recipe.net.gamma == 0.25
    twin = trained.which(MOONS, "trained", "relu")
    assert twin.recipe.net.gamma is None
    assert (twin.recipe.seed, twin.recipe.training) == (which.recipe.seed, which.recipe.training)


def test_training_goes_on_only_while_somebody_asks_and_says_how_far_it_is():
    which = trained.which(replace(MOONS, seed=77))
    first = trained.snapshot(which)
    assert not first.is_done
    assert first.progress == "training: epoch 0 of 20"
    run = training.run(which.recipe)
    run.wait(trained.AHEAD, SECONDS)
    run.wait(10**6, 0.3)
    assert len(run.frames) == trained.AHEAD
    epochs = [first.epoch]
    while not (now := trained.snapshot(which)).is_done:
        epochs.append(now.epoch)
        run.wait(now.frames + trained.AHEAD, SECONDS)
    assert epochs == sorted(epochs)
    assert now.epoch == 20
    assert now.progress == "trained for 20 epochs"
    assert now.progress_and_schedule == "trained for 20 epochs, SGD 0.1"
    expected = run.network().state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in now.net.state_dict().items())


def test_a_diverged_training_is_told_and_the_untrained_network_stays(monkeypatch):
    monkeypatch.setattr(trained, "SCHEDULE", replace(trained.SCHEDULE, learning_rate=1e20, epochs=2))
    which = trained.which(replace(MOONS, seed=78))
    run = training.run(which.recipe)
    run.want(10**6)
    run.wait(10**6, SECONDS)
    with pytest.raises(Unusable, match="untrained"):
        trained.snapshot(which)
    assert trained.snapshot(replace(which, is_trained=False)).progress == "untrained"


# Distances.


@pytest.mark.parametrize("measure", [*pattern_distances.MEASURES])
def test_distances_within_and_between_classes_are_those_of_every_pair(measure, monkeypatch):
    monkeypatch.setattr(pattern_distances, "INPUTS", 30)  # few enough that all pairs are taken
    setup = replace(MOONS, seed=31)
    found = pattern_distances.histograms(
        pattern_distances.Query(trained.which(setup, "untrained"), measure, 0.1, "linf", 0)
    )
    labels = data.data(setup.data).labels_test
    first = [i for c in (0, 1) for i in np.flatnonzero(labels == c)[:15].tolist()]
    masks = {i: [layer.won[0] for layer in patterns.answer(untrained(setup), Question(str(i))).layers] for i in first}
    assert found.n_inputs == 30
    for layer in range(2):
        by_kind = {True: [], False: []}
        for i in first:
            for j in first[: first.index(i)]:
                a, b = masks[i][layer], masks[j][layer]
                by_kind[bool(labels[i] == labels[j])].append(
                    (a != b).sum() if measure == "hamming" else (a != b).sum() / (a | b).sum()
                )
        assert np.allclose(sorted(found.within[layer]), sorted(by_kind[True]))
        assert np.allclose(sorted(found.between[layer]), sorted(by_kind[False]))


def test_distances_under_perturbation_grow_with_the_radius_and_vanish_with_it():
    which = trained.which(DIGITS, "untrained")

    def mean(radius: float) -> float:
        query = pattern_distances.Query(which, "hamming", radius, "linf", 0)
        return float(pattern_distances.histograms(query).perturbed[0].mean())

    assert mean(0.0) == 0 < mean(0.05) < mean(0.3)


@pytest.mark.parametrize("measure", [*pattern_distances.MEASURES])
@pytest.mark.parametrize("layer", [0, 2])
def test_the_figure_counts_every_pair_once_and_marks_the_medians(measure, layer):
    found = pattern_distances.histograms(
        pattern_distances.Query(trained.which(DIGITS, "untrained"), measure, 0.1, "l2", 1)
    )
    figure = plots.distances(found, layer)
    shown = [1, 2] if layer == 0 else [2]
    assert len(figure.data) == 3 * len(shown)
    assert all(sum(trace.y) == pytest.approx(100) for trace in figure.data)
    medians = {shape.x0 for shape in figure.layout.shapes}
    words = plots.in_words(found, layer)
    for i in shown:
        for field in ("within", "between", "perturbed"):
            median = float(np.median(getattr(found, field)[i - 1]))
            assert median in medians
            assert f"{median:.3g}" in words
    assert f"{len(found.within[0]):,} pairs within" in words
    assert "1,000 pairs x, x + δ" in words


# The view.


def opened(**link) -> AppTest:
    """The Patterns view at this link."""
    at = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=SECONDS)
    for key, value in link.items():
        at.query_params[key] = str(value)
    at.switch_page("views/patterns.py")
    return at.run()


def walk(node):
    yield node
    for child in getattr(node, "children", {}).values():
        yield from walk(child)


def told(at: AppTest) -> dict:
    """The header of what the page handed to the picture."""
    protos = [e.proto for e in walk(at._tree) if getattr(e, "type", "") == "bidi_component"]
    block = next(proto.bytes for proto in protos if proto.WhichOneof("data") == "bytes")
    return unpacked(block)[0]


@pytest.mark.parametrize("link", [{}, {"data": "moons"}, {"net": "conv 4,8 / 12"}], ids=["digits", "moons", "conv"])
@pytest.mark.parametrize("weights", ["trained", "untrained"])
@pytest.mark.parametrize("phi", ["kwta", "relu"])
def test_every_network_is_shown(link, weights, phi):
    at = opened(**link, weights=weights, phi=phi, compare="delta")
    assert not at.exception
    assert not at.warning
    header = told(at)
    assert header["state"]["weights"] == weights
    assert all((layer["k"] is None) == (phi == "relu") for layer in header["layers"])
    assert len(header["inputs"]) == 2


def test_a_link_reproduces_input_comparison_radius_norm_seed_and_layer():
    link = {
        "x": DRAWN,
        "compare": "delta",
        "norm": "l2",
        "radius": 1.25,
        "delta": 9,
        "layer": 2,
        "weights": "untrained",
    }
    at = opened(**link)
    header = told(at)
    assert {key: header["state"][key] for key in link} == link
    expected = patterns.answer(untrained(DIGITS), Question(DRAWN, "1", "delta", "l2", 1.25, 9))
    assert [layer["hamming"] for layer in header["layers"]] == [layer.hamming for layer in expected.layers]
    assert header["inputs"][0] == {
        "index": None,
        "label": None,
        "says": int(expected.sure[0].argmax()),
        "sure": float(expected.sure[0].max()),
    }


@pytest.mark.parametrize(
    "link",
    [
        {"x": "999999"},
        {"x": "0.1,0.2"},
        {"x": "d" + "A" * 3000},
        {"x2": "'; DROP TABLE"},
        {"data": "moons", "x": DRAWN},
        {"data": "moons", "x": "nan,nan"},
        {"compare": "everything"},
        {"radius": "1e308"},
        {"radius": "nan"},
        {"norm": "l7"},
        {"delta": "-1"},
        {"layer": "9"},
        {"weights": "half"},
        {"phi": "sigmoid"},
        {"below": "x"},
        {"measure": "x"},
        {"gamma": "0"},
    ],
)
def test_an_absurd_link_gives_a_message_and_the_picture_all_the_same(link):
    at = opened(**{"weights": "untrained", **link})
    assert not at.exception
    assert len(at.warning) == 1
    assert "using" in at.warning[0].value
    assert told(at)["layers"]


def test_a_network_that_does_not_fit_the_data_gives_a_message_and_the_session_lives():
    at = opened(data="moons", net="conv 4 / 8", weights="untrained")
    assert not at.exception
    assert any("Convolutions need images" in warning.value for warning in at.warning)
    at.selectbox(key="net").set_value("128").run()
    assert not at.warning
    assert [layer["n"] for layer in told(at)["layers"]] == [128]


def test_other_data_let_go_of_a_drawing_and_other_networks_of_a_layer_without_a_message():
    at = opened(x=DRAWN, layer=2, weights="untrained")
    at.selectbox(key="data").set_value("moons").run()
    at.selectbox(key="net").set_value("128").run()
    assert not at.exception
    assert not at.warning
    assert told(at)["state"]["x"] == "0"
    assert told(at)["state"]["layer"] == 0


@pytest.mark.parametrize("below", ["distances", "units", "python"])
def test_what_is_below_the_picture(below):
    at = opened(weights="untrained", compare="delta", below=below, layer=1)
    assert not at.exception
    if below == "units":
        assert len(at.dataframe[0].value) == 64
    elif below == "python":
        assert "perturbed(x, 0.1, 'linf', 1, rng, data.box)" in at.code[0].value
    else:
        assert any("pairs within" in text.value for text in at.markdown)


def test_distances_wait_for_the_end_of_the_training():
    at = opened(seed=991, below="distances")
    assert any("once the training is through" in info.value for info in at.info)


def test_every_data_set_at_hand_has_inputs_to_pick():
    for name in ("digits", "circles", "spirals", "checkerboard", "gaussians", "xor"):
        known = load(data.spec(name))
        assert inputs.found(known, "0").label == known.labels_test[0]
