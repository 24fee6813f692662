"""The made sets are what their formulas say, splits and selections keep their promises, and the door refuses."""

import doctest
import json
from dataclasses import FrozenInstanceError, asdict, replace
from dataclasses import fields as dataclass_fields
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwta import datasets
from kwta.datasets import CsvPoints, Data, Digits, ImageFolder, Images, NpzFile, Points, from_record, load, named
from kwta.datasets.points import normal
from kwta.datasets.specs import IMAGES, SHAPES
from kwta.datasets.split import balanced, stratified

# What rounding a coordinate of size 1 to float32 changes, with room for the squares and sums taken of it.
ROUNDING = 4 * np.finfo(np.float32).eps


def whole(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """All inputs and labels, training before test, in float64 so that checks add no rounding."""
    x = np.concatenate([data.x_train, data.x_test]).astype(np.float64)
    return x, np.concatenate([data.labels_train, data.labels_test])


def bytes_of(data: Data) -> tuple[bytes, ...]:
    return tuple(array.tobytes() for array in (data.x_train, data.labels_train, data.x_test, data.labels_test))


# The made sets.


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("noise", [0.0, 0.1, 1.0])
def test_a_made_set_has_balanced_classes_a_fifth_for_the_test_and_lies_in_its_box(shape, noise):
    data = load(Points(shape, size=1000, noise=noise))
    x, labels = whole(data)
    assert data.x_train.shape == (800, 2)
    assert data.x_test.shape == (200, 2)
    assert np.bincount(data.labels_train).tolist() == [400, 400]
    assert np.bincount(data.labels_test).tolist() == [100, 100]
    assert data.box == pytest.approx((-1 - 3 * noise, 1 + 3 * noise))
    assert np.abs(x).max() <= np.float32(data.box[1])
    assert data.n_classes == len(set(labels)) == 2
    assert data.shape == (2,)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_seed_gives_the_same_bytes_and_another_seed_others(shape):
    assert bytes_of(load(Points(shape, seed=7))) == bytes_of(load(Points(shape, seed=7)))
    assert bytes_of(load(Points(shape, seed=7))) != bytes_of(load(Points(shape, seed=8)))
    one, other = (whole(load(Points(shape, seed=seed)))[0] for seed in (7, 8))
    assert not set(map(tuple, one.tolist())) & set(map(tuple, other.tolist()))


@pytest.mark.parametrize("shape", SHAPES)
def test_points_move_in_proportion_to_the_noise_and_keep_their_labels(shape):
    still, near, far = (load(Points(shape, noise=noise, seed=3)) for noise in (0.0, 0.25, 0.5))
    assert np.array_equal(still.labels_train, far.labels_train)
    moved = far.x_train - still.x_train
    assert np.allclose(moved, 2 * (near.x_train - still.x_train), atol=8 * ROUNDING)
    # 1600 displacements: their standard deviation is 0.9866 of the noise after the cut at three, give or take 2 %.
    assert moved.std() == pytest.approx(0.5 * 0.9866, rel=0.08)


def test_the_noise_is_a_normal_cut_at_three_standard_deviations():
    z = normal((200_000,), np.random.default_rng(0))
    phi = np.exp(-4.5) / np.sqrt(2 * np.pi)  # density at 3
    mass = 0.9973002039367398  # P(|z| < 3)
    assert np.abs(z).max() <= 3
    assert (np.abs(z) > 2.9).any()
    # Variance of the truncated normal: 1 − 2·3·φ(3)/P(|z| < 3); five standard errors of 200,000 draws.
    assert z.var() == pytest.approx(1 - 6 * phi / mass, abs=5 * np.sqrt(2 / 200_000))
    assert z.mean() == pytest.approx(0, abs=5 / np.sqrt(200_000))


def test_moons_are_scikit_learns_moons_scaled_by_two_thirds():
    from scipy.spatial import cKDTree
    from sklearn.datasets import make_moons

    curve, side = make_moons(20_000, noise=None)
    curve = (curve - [0.5, 0.25]) / 1.5
    x, labels = whole(load(Points("moons", size=2000, noise=0)))
    for label in (0, 1):
        distance, _ = cKDTree(curve[side == label]).query(x[labels == label])
        assert distance.max() < np.pi * (2 / 3) / 10_000  # the spacing of scikit-learn's points
        # And the whole half circle is covered: its 1000 random points leave no gap of a twentieth.
        distance, _ = cKDTree(x[labels == label]).query(curve[side == label])
        assert distance.max() < 0.05


def test_circles_have_radius_one_and_one_half():
    x, labels = whole(load(Points("circles", size=500, noise=0)))
    radius = np.hypot(*x.T)
    assert np.allclose(radius, np.where(labels == 0, 1, 0.5), atol=ROUNDING)
    assert load(Points("circles")).classes == ("outer", "inner")


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_spirals_turn_evenly_with_the_radius(classes):
    x, labels = whole(load(Points("spirals", size=1000, noise=0, classes=classes)))
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    assert radius.min() >= 0.1 - ROUNDING
    assert radius.max() <= 1 + ROUNDING
    turned = angle / (2 * np.pi) - 1.25 * radius - labels / classes
    assert np.allclose(turned, np.rint(turned), atol=1e-5)  # an angle at radius 0.1 is known to 10 eps
    assert set(labels) == set(range(classes))


@pytest.mark.parametrize(("shape", "cells"), [("checkerboard", 4), ("xor", 2)])
def test_the_label_on_a_board_is_the_parity_of_the_cell(shape, cells):
    data = load(Points(shape, size=20_000, noise=0))
    x, labels = whole(data)
    cell = np.floor((x + 1) * cells / 2).astype(int)
    assert (labels == cell.sum(axis=1) % 2).all()
    # Every cell is used, about equally: five standard deviations of a binomial count.
    counts = np.bincount(cell @ [1, cells], minlength=cells**2)
    assert np.abs(counts - 20_000 / cells**2).max() < 5 * np.sqrt(20_000 / cells**2)


def test_xor_is_the_exclusive_or_of_the_signs():
    x, labels = whole(load(Points("xor", size=5000, noise=0)))
    assert (labels == ((x[:, 0] > 0) ^ (x[:, 1] > 0))).all()
    assert (np.sign(x[:, 0] * x[:, 1]) == 1 - 2 * labels).all()


@pytest.mark.parametrize("classes", [2, 5])
def test_gaussian_clouds_sit_around_a_circle_of_radius_one_half(classes):
    x, labels = whole(load(Points("gaussians", size=20_000, noise=0, classes=classes)))
    for label in range(classes):
        cloud = x[labels == label]
        angle = 2 * np.pi * label / classes
        error = 5 / 6 / np.sqrt(len(cloud))  # five standard errors of the mean
        assert cloud.mean(axis=0) == pytest.approx([np.cos(angle) / 2, np.sin(angle) / 2], abs=error)
        assert cloud.std(axis=0) == pytest.approx([0.9866 / 6] * 2, rel=0.1)


@pytest.mark.parametrize("size", [20, 21, 33, 1001])
def test_any_size_is_met_exactly_with_classes_apart_by_at_most_one(size):
    _, labels = whole(load(Points("moons", size=size)))
    assert len(labels) == size
    assert np.ptp(np.bincount(labels)) <= 1


def test_training_points_come_in_mixed_order():
    labels = load(Points("moons")).labels_train
    # Runs of equal labels in a fair shuffle of 800: 401 expected, standard deviation 14.
    assert 330 < 1 + (labels[1:] != labels[:-1]).sum() < 470


# Digits.


def test_digits_are_scikit_learns_each_once():
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    data = load(Digits())
    x, ours = whole(data)
    assert data.x_train.shape == (1438, 1, 8, 8)
    assert data.x_test.shape == (359, 1, 8, 8)
    assert data.box == (0.0, 1.0)
    assert data.classes == tuple("0123456789")

    def rows(pixels, labels):
        return sorted(tuple(row) for row in np.column_stack([labels, pixels]).astype(int).tolist())

    assert rows(16 * x.reshape(-1, 64), ours) == rows(pixels, labels)


def test_digits_split_every_digit_alike_and_by_the_seed():
    data = load(Digits())
    counts = np.bincount(whole(data)[1])
    assert np.bincount(data.labels_test).tolist() == np.rint(0.2 * counts).tolist()
    assert bytes_of(data) == bytes_of(load(Digits(seed=0)))
    assert bytes_of(data) != bytes_of(load(Digits(seed=1)))


# Splits and selections.

label_lists = st.lists(st.integers(0, 6), min_size=1, max_size=200).map(lambda labels: np.array(labels, dtype=np.int64))


@given(label_lists, st.integers(0, 2**32 - 1))
def test_a_split_is_disjoint_covering_and_a_fifth_of_each_class(labels, seed):
    train, test = stratified(labels, np.random.default_rng(seed))
    assert sorted([*train, *test]) == list(range(len(labels)))
    for label in set(labels.tolist()):
        n, n_test = (labels == label).sum(), (labels[test] == label).sum()
        assert abs(n_test - 0.2 * n) <= 0.5 or (n_test == 1 and n >= 2)
        assert (n_test > 0) == (n >= 2)


def test_a_split_mixes_classes_that_come_one_after_the_other():
    labels = np.repeat([0, 1], 500)
    for part in stratified(labels, np.random.default_rng(0)):
        runs = 1 + (np.diff(labels[part]) != 0).sum()
        # A fair shuffle of n, half of each class, has about n/2 + 1 runs, with standard deviation √n/2.
        assert abs(runs - len(part) / 2 - 1) < 5 * np.sqrt(len(part)) / 2


@given(label_lists, st.integers(0, 2**32 - 1), st.data())
def test_a_selection_is_as_balanced_as_the_classes_allow_and_part_of_every_larger_one(labels, seed, data):
    size = data.draw(st.integers(1, len(labels)))
    chosen = balanced(labels, size, np.random.default_rng(seed))
    assert len(set(chosen.tolist())) == size
    assert (np.diff(chosen) > 0).all()
    have, taken = np.bincount(labels, minlength=7), np.bincount(labels[chosen], minlength=7)
    # A class with images left over is at most one short of any other.
    assert all(taken[a] + 1 >= taken.max() for a in range(7) if taken[a] < have[a])
    larger = balanced(labels, data.draw(st.integers(size, len(labels))), np.random.default_rng(seed))
    assert set(chosen.tolist()) <= set(larger.tolist())


def test_a_selection_of_none_or_too_many_is_refused():
    for size in (0, 4):
        with pytest.raises(ValueError, match="from 1 to 3 examples, got"):
            balanced(np.array([0, 1, 1]), size, np.random.default_rng(0))


# Specs.

SPECS = (
    Points("spirals", 500, 0.2, 5, 3),
    Digits(4),
    Images("svhn", 100, None, 2),
    CsvPoints("a.csv", 1, False, "0" * 64),
    NpzFile("a.npz"),
    ImageFolder("images", (8, 16), True, 9),
)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_a_spec_is_frozen_hashable_and_survives_json(spec):
    assert from_record(json.loads(json.dumps(asdict(spec)))) == spec
    assert eval(repr(spec), vars(datasets)) == spec
    assert hash(spec) == hash(replace(spec))
    with pytest.raises(FrozenInstanceError):
        spec.seed = 1


def test_kinds_are_all_different():
    assert len({spec.kind for spec in SPECS}) == len(SPECS)


def unchecked(kind, **fields):
    """What kind(**fields) gives where signatures are not checked: links and records bring any type."""
    spec = object.__new__(kind)
    for field in dataclass_fields(kind):
        object.__setattr__(spec, field.name, fields.get(field.name, field.default))
    spec.__post_init__()
    return spec


def test_equal_specs_from_other_types_are_equal_and_print_alike():
    loose = unchecked(Points, shape="moons", size=np.int64(100), noise=np.float32(0.5), seed=np.uint8(1))
    assert repr(loose) == repr(Points("moons", 100, 0.5, 1))
    assert repr(Points("moons", noise=-0.0)) == repr(Points("moons", noise=0)) == repr(Points("moons", noise=0.0))
    assert unchecked(CsvPoints, path=Path("a/b.csv")) == CsvPoints(str(Path("a/b.csv")))


MOONS = {"shape": "moons"}
BAD_SPECS = {
    "an unknown shape": (Points, {"shape": "stars"}, "shape must be one of moons, circles.*got 'stars'"),
    "too few points": (Points, MOONS | {"size": 19}, "size must be a whole number from 20 to 1000000, got 19"),
    "too few for ten classes": (Points, {"shape": "gaussians", "size": 99, "classes": 10}, "from 100 to"),
    "a million and one": (Points, MOONS | {"size": 1_000_001}, "got 1000001"),
    "half a point": (Points, MOONS | {"size": 100.5}, "size must be a whole number.*got 100.5"),
    "a truth for a seed": (Points, MOONS | {"seed": True}, "seed must be a whole number .* got True"),
    "negative noise": (Points, MOONS | {"noise": -0.1}, "noise must be a number from 0 to 10, got -0.1"),
    "NaN noise": (Points, MOONS | {"noise": float("nan")}, "got nan"),
    "infinite noise": (Points, MOONS | {"noise": float("inf")}, "got inf"),
    "noise in words": (Points, MOONS | {"noise": "loud"}, "got 'loud'"),
    "no noise": (Points, MOONS | {"noise": None}, "got None"),
    "a negative seed": (Points, MOONS | {"seed": -1}, "seed must be a whole number from 0 to 4294967295, got -1"),
    "a huge seed": (Digits, {"seed": 2**32}, "got 4294967296"),
    "three moons": (Points, MOONS | {"classes": 3}, "classes of moons must be 2, got 3"),
    "one cloud": (Points, {"shape": "gaussians", "classes": 1}, "classes of gaussians must be .* from 2 to 10, got 1"),
    "eleven arms": (Points, {"shape": "spirals", "classes": 11}, "from 2 to 10, got 11"),
    "an unknown image set": (Images, {"name": "imagenet"}, "name must be one of mnist.*got 'imagenet'"),
    "fewer images than classes": (Images, {"name": "mnist", "train": 9}, "train of mnist .* from 10 to 60000, got 9"),
    "more images than there are": (Images, {"name": "svhn", "test": 26_033}, "from 10 to 26032, got 26033"),
    "an empty path": (CsvPoints, {"path": " "}, "path must be the name of a file or folder, got ' '"),
    "a path with a null": (NpzFile, {"path": "a\0b"}, "path must be the name"),
    "a number for a path": (NpzFile, {"path": 3}, "path must be the name .* got 3"),
    "a short digest": (NpzFile, {"path": "a", "digest": "abc"}, "digest must be a SHA-256.*got 'abc'"),
    "scaled in words": (CsvPoints, {"path": "a", "scaled": "no"}, "scaled must be True or False, got 'no'"),
    "grey in numbers": (ImageFolder, {"path": "a", "grey": 1}, "grey must be True or False, got 1"),
    "one side": (ImageFolder, {"path": "a", "size": (32,)}, r"size must be \(height, width\), got \(32,\)"),
    "no height": (ImageFolder, {"path": "a", "size": (0, 32)}, "height must be a whole number from 1 to 1024, got 0"),
    "too wide": (ImageFolder, {"path": "a", "size": (8, 5000)}, "width must be .* got 5000"),
}


@pytest.mark.parametrize("case", BAD_SPECS)
def test_a_spec_refuses(case):
    kind, fields, message = BAD_SPECS[case]
    with pytest.raises(ValueError, match=message):
        unchecked(kind, **fields)


BAD_RECORDS = {
    "no kind": ({}, "kind of a data set must be one of points, digits.*got None"),
    "an unknown kind": ({"kind": "video"}, "got 'video'"),
    "an unknown field": (
        {"kind": "digits", "colour": 1},
        "a digits data set has no 'colour'; its fields are kind, seed",
    ),
    "a missing field": ({"kind": "points"}, "a points data set cannot be made of .*shape"),
    "a bad value": ({"kind": "points", "shape": "moons", "size": 1}, "size must be"),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_a_record_is_refused_for(case):
    record, message = BAD_RECORDS[case]
    with pytest.raises(ValueError, match=message):
        from_record(record)


# Names.


@pytest.mark.parametrize("module", ["naming", "loading"])
def test_the_examples_in_the_docstrings_run(module):
    done = doctest.testmod(import_module(f"kwta.datasets.{module}"))
    assert done.attempted > 0
    assert done.failed == 0


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("digits", Digits()),
        *((name, Images(name)) for name in IMAGES),
        *((shape, Points(shape)) for shape in SHAPES),
        (" moons\n", Points("moons")),
        ("folder/points.CSV", CsvPoints("folder/points.CSV")),
        ("arrays.npz", NpzFile("arrays.npz")),
    ],
)
def test_a_name_means(text, spec):
    assert named(text) == spec


def test_every_name_listed_is_known():
    assert [named(name).kind for name in datasets.NAMES] == ["digits", *["images"] * 4, *["points"] * 6]


def test_a_folder_is_an_image_folder_even_if_its_name_ends_in_csv(tmp_path):
    folder = tmp_path / "odd.csv"
    folder.mkdir()
    assert named(str(folder)) == ImageFolder(str(folder))


@pytest.mark.parametrize("text", ["", "moon", "points.txt", "/no/such/folder", "~"])
def test_an_unknown_name_is_refused_with_the_known_ones(text, monkeypatch):
    monkeypatch.setenv("HOME", "/no/such/home")
    with pytest.raises(ValueError, match=r"one of digits, mnist.*, xor, or the path of a \.csv"):
        named(text)


@pytest.mark.parametrize("text", ["points.csv", "arrays.npz", "/", "."])
def test_without_files_a_link_names_no_file_of_the_server(text):
    with pytest.raises(ValueError, match=r"one of digits, .*, xor; got"):
        named(text, files=False)
    assert named("moons", files=False) == Points("moons")


# The door.

X = np.array([[0.0, 0.5], [1.0, 0.0], [0.25, 1.0]])
LABELS = np.array([0, 1, 0])


def made(**changes) -> Data:
    fields = {
        "spec": Points("moons"),
        "x_train": X,
        "labels_train": LABELS,
        "x_test": X[:2],
        "labels_test": LABELS[:2],
        "classes": ("a", "b"),
        "box": (0.0, 1.0),
    }
    return Data(**(fields | changes))


def test_data_are_float32_and_int64_whatever_comes_in():
    data = made(x_test=np.array([[True, False]]), labels_test=np.array([1], dtype=np.uint8), box=(0, 1))
    assert {data.x_train.dtype, data.x_test.dtype} == {np.dtype(np.float32)}
    assert {data.labels_train.dtype, data.labels_test.dtype} == {np.dtype(np.int64)}
    assert np.array_equal(data.x_train, X.astype(np.float32))
    assert repr(data.box) == "(0.0, 1.0)"


def test_data_are_read_only_and_leave_the_given_arrays_alone():
    x = X.astype(np.float32)
    data = made(x_train=x)
    for array in (data.x_train, data.labels_train, data.x_test, data.labels_test):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    x[0] = 0.75  # still the caller's own
    with pytest.raises(FrozenInstanceError):
        data.box = (0.0, 2.0)


HOLED = X.copy()
HOLED[2, 1] = np.nan

BAD_DATA = {
    "NaN": ({"x_train": HOLED}, r"moons: x_train\[2, 1\] is nan; every value must be finite"),
    "infinity": ({"x_test": np.array([[0.0, -np.inf], [0, 0]])}, r"moons: x_test\[0, 1\] is -inf"),
    "what float32 cannot hold": ({"x_test": np.array([[1e39, 0], [0, 0]])}, r"x_test\[0, 0\] is 1e\+39.*32-bit"),
    "values outside the box": ({"box": (0.0, 0.75)}, r"x_train holds 1.0, outside the data box \[0.0, 0.75\]"),
    "words for numbers": (
        {"x_train": np.array([["a", "b"]] * 3)},
        "x_train holds str.* values; real numbers are needed",
    ),
    "complex numbers": ({"x_train": X + 0j}, "complex128 values"),
    "no examples": ({"x_test": X[:0], "labels_test": LABELS[:0]}, r"x_test has shape \(0, 2\); at least one example"),
    "inputs without values": ({"x_train": X[:, :0]}, r"x_train has shape \(3, 0\)"),
    "bare numbers": ({"x_train": X[:, 0]}, r"x_train has shape \(3,\)"),
    "other test inputs": ({"x_test": X[:2, :1]}, r"training inputs have shape \(2,\), test \(1,\)"),
    "too few labels": ({"labels_train": LABELS[:2]}, "x_train has 3 examples but labels_train has 2"),
    "labels in columns": ({"labels_train": LABELS[:, None]}, r"labels_train has shape \(3, 1\)"),
    "fractions as labels": ({"labels_test": np.array([0.0, 0.5])}, "labels_test holds float64 values; whole numbers"),
    "a negative label": ({"labels_train": np.array([0, 1, -1])}, r"labels_train\[2\] is -1; labels must lie in 0\.\.1"),
    "a label without class": ({"labels_test": np.array([0, 2])}, r"labels_test\[1\] is 2; labels must lie in 0\.\.1"),
    "one class only": (
        {"labels_train": np.array([1, 1, 1])},
        "every training label is 'b'; learning needs at least two",
    ),
    "one name": ({"classes": ("a",)}, "the only class is 'a'; learning needs at least two classes"),
    "a name twice": ({"classes": ("a", "b", "a")}, "the class 'a' is named twice"),
    "an empty name": ({"classes": ("a", " ")}, "classes must have names"),
    "a box upside down": ({"box": (1.0, 0.0)}, r"low below high, got \(1.0, 0.0\)"),
    "an endless box": ({"box": (0.0, np.inf)}, "two finite numbers"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_the_door_refuses(case):
    changes, message = BAD_DATA[case]
    with pytest.raises(ValueError, match=message):
        made(**changes)
