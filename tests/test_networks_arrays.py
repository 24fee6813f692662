"""Networks from given weights: equal to the formula, and whatever does not fit is named."""

import contextlib
import io
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from some_networks import unchecked

from kwta.networks import arrays, from_arrays, from_npz, gammas_of


def layers(widths, seed=0, dtype=np.float64):
    """Random weights [out, in] and biases."""
    rng = np.random.default_rng(seed)
    pairs = list(zip(widths[1:], widths[:-1], strict=True))
    return [rng.normal(size=p).astype(dtype) for p in pairs], [rng.normal(size=p[0]).astype(dtype) for p in pairs]


def forward(weights, biases, k, x):
    """The network in NumPy; k per hidden layer, None is ReLU."""
    for W, b, winners in zip(weights, biases, (*k, len(biases[-1])), strict=True):
        y = x @ W.T + b
        kept = np.argsort(-y, axis=1, kind="stable")[:, :winners]
        x = np.maximum(y, 0) if winners is None else np.zeros_like(y)
        if winners is not None:
            np.put_along_axis(x, kept, np.take_along_axis(y, kept, axis=1), axis=1)
    return x


@settings(max_examples=40)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.integers(0, 99), st.booleans())
def test_the_network_is_the_formula(widths, seed, relu):
    weights, biases = layers(widths, seed)
    gamma = None if relu or len(widths) == 2 else 1 / min(widths[1:-1]) + 1e-9 if min(widths[1:-1]) > 1 else 1.0
    net = from_arrays(weights, biases, gamma)
    x = np.random.default_rng(seed + 1).normal(size=(6, widths[0]))
    np.testing.assert_allclose(
        net(torch.from_numpy(x)).detach().numpy(),
        forward(weights, biases, net.spec.winners, x),
        rtol=1e-12,
        atol=1e-12,
    )
    assert net.spec.widths == tuple(widths)
    assert net.seed is None


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [(np.float64, torch.float64), (np.float32, torch.float32), (np.float16, torch.float32), (np.int64, torch.float64)],
)
def test_the_precision_of_the_arrays_is_kept(dtype, kept):
    weights, biases = layers((2, 5, 1), dtype=dtype)
    net = from_arrays(weights, biases, gamma=0.4)
    assert {values.dtype for values in net.parameters()} == {kept}
    assert all(np.array_equal(v.detach().numpy(), w) for v, w in zip(list(net.parameters())[::2], weights, strict=True))


def test_one_wide_array_makes_all_wide():
    weights, biases = layers((2, 5, 1), dtype=np.float32)
    net = from_arrays(weights, [biases[0].astype(np.float64), biases[1]], None)
    assert {values.dtype for values in net.parameters()} == {torch.float64}


def test_the_network_does_not_share_memory_with_the_arrays():
    weights, biases = layers((2, 3))
    net = from_arrays(weights, biases, None)
    before = net(torch.ones(1, 2, dtype=torch.float64))
    weights[0][:] = 0
    assert torch.equal(before, net(torch.ones(1, 2, dtype=torch.float64)))


W, B = layers((2, 4, 3))


def with_entry(array, value):
    changed = array.copy()
    changed.flat[1] = value
    return changed


@pytest.mark.parametrize(
    ("weights", "biases", "gamma", "match"),
    [
        ([], [], None, "at least one; got 0 and 0"),
        (W, B[:1], None, "as many biases as weights are needed, at least one; got 1 and 2"),
        ([W[0], W[1][:, :3]], B, None, "W1 has 3 inputs, but W0 has 4 outputs"),
        (W, [B[0][:3], B[1]], None, "b0 has 3 entries, but W0 has 4 outputs"),
        ([W[0][0], W[1]], B, None, r"W0 must have the shape \[out, in\], got \(2,\)"),
        (W, [B[0][:, None], B[1]], None, r"b0 must have the shape \[out\], got \(4, 1\)"),
        ([W[0], np.zeros((0, 4))], [B[0], np.zeros(0)], None, r"W1 must have the shape .* got \(0, 4\)"),
        ([with_entry(W[0], np.nan), W[1]], B, None, r"W0\[0, 1\] is nan"),
        (W, [B[0], with_entry(B[1], -np.inf)], None, r"b1\[1\] is -inf"),
        ([W[0] * 1j, W[1]], B, None, "W0 must hold real numbers .* got complex128"),
        ([W[0] > 0, W[1]], B, None, "W0 must hold real numbers .* got bool"),
        ([W[0].astype(np.longdouble), W[1]], B, None, "W0 must hold real numbers of at most 64 bits"),
        ([W[0].astype(object), W[1]], B, None, "W0 must hold real numbers .* got object"),
        ([W[0].astype(str), W[1]], B, None, "W0 must hold real numbers"),
        (W, B, 0.1, "hidden layer 1: gamma = 0.1 of 4 units leaves no winner"),
        (W, B, (0.5, 0.5), "one entry per hidden layer"),
    ],
)
def test_what_does_not_fit_is_named(weights, biases, gamma, match):
    with unchecked(), pytest.raises(ValueError, match=match):
        from_arrays(weights, biases, gamma)


def packed(**content) -> io.BytesIO:
    file = io.BytesIO()
    np.savez(file, **content)
    file.seek(0)
    return file


def test_an_npz_file_is_read_by_path_or_open(tmp_path):
    content = {"W0": W[0], "b0": B[0], "W1": W[1], "b1": B[1]}
    np.savez(tmp_path / "net.npz", **content)
    expected = from_arrays(W, B, 0.5).state_dict()
    for file in (tmp_path / "net.npz", str(tmp_path / "net.npz"), packed(**content)):
        state = from_npz(file, 0.5).state_dict()
        assert all(torch.equal(state[name], expected[name]) for name in expected)


def test_more_than_ten_layers_keep_their_order():
    weights, biases = layers((3,) * 13, seed=4)
    pairs = zip(weights, biases, strict=True)
    content = {f"{letter}{n}": array for n, pair in enumerate(pairs) for letter, array in zip("Wb", pair, strict=True)}
    net = from_npz(packed(**content), gamma=0.7)
    x = np.ones((1, 3))
    expected = forward(weights, biases, (2,) * 11, x)
    np.testing.assert_allclose(net(torch.from_numpy(x)).detach().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({}, "arrays must be called W0, b0, got none"),
        ({"W0": W[0]}, "arrays must be called W0, b0, got W0"),
        ({"W0": W[0], "bias": B[0]}, "must be called W0, b0, got W0, bias"),
        ({"W1": W[1], "b1": B[1]}, "must be called W0, b0, got W1, b1"),
        ({"W0": W[0], "b0": B[0], "x": B[0]}, "must be called W0, b0, got W0, b0, x"),
        ({"W0": np.array([[print]]), "b0": B[0]}, "cannot read .* as .npz: Object arrays cannot be loaded"),
    ],
)
def test_an_npz_file_with_other_arrays_is_refused(content, match):
    with pytest.raises(ValueError, match=match):
        from_npz(packed(**content), None)


def test_a_file_that_is_no_npz_is_refused(tmp_path, monkeypatch):
    whole = packed(W0=W[0], b0=B[0]).getvalue()
    for content in (b"", b"not a zip file", whole[:100], whole[:-30]):
        with pytest.raises(ValueError, match=r"cannot read .* as .npz"):
            from_npz(io.BytesIO(content), None)
    foreign = io.BytesIO()
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("W0.npy", "no array")
    foreign.seek(0)
    with pytest.raises(ValueError, match=r"cannot read .* as .npz: W0 is no array"):
        from_npz(foreign, None)
    with pytest.raises(FileNotFoundError):
        from_npz(tmp_path / "absent.npz", None)
    monkeypatch.setattr(arrays, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match=r"unpacks to .* bytes, allowed are 100"):
        from_npz(packed(W0=W[0], b0=B[0]), None)


@settings(max_examples=300)
@given(st.booleans(), st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_npz_file_gives_a_network_or_a_sentence(compressed, place, value):
    file = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(file, W0=W[0], b0=B[0])
    data = bytearray(file.getvalue())
    data[place % len(data)] = value
    with contextlib.suppress(ValueError):
        assert from_npz(io.BytesIO(bytes(data)), None).spec.widths


def test_the_reference_networks_are_read(case_folder):
    expected = {"a_he": (2, 32, 32, 1), "d_def": (2, 128, 128, 128, 1), "f_def_slice2d": (2, 100, 100, 10)}
    for name, widths in expected.items():
        net = from_npz(case_folder / f"{name}.npz", gamma=0.125)
        assert net.spec.widths == widths
        assert net.spec.winners == tuple(n // 8 for n in widths[1:-1])
        content = np.load(case_folder / f"{name}.npz")
        names = range(len(widths) - 1)
        x = np.random.default_rng(0).uniform(-1, 1, (50, 2))
        twin = forward([content[f"W{n}"] for n in names], [content[f"b{n}"] for n in names], net.spec.winners, x)
        np.testing.assert_allclose(net(torch.from_numpy(x)).detach().numpy(), twin, rtol=1e-11, atol=1e-11)
        assert gammas_of(from_npz(case_folder / f"{name}.npz", gamma=None)) == (None,) * (len(widths) - 2)
