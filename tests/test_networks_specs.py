"""Specs: what they count, what they refuse, and their JSON form."""

import doctest
import importlib
import json
import pkgutil
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from some_networks import inputs, specs, unchecked

from kwta import networks
from kwta.networks import CNN, MLP, activations, build, from_json, to_json


def refused(match: str):
    return pytest.raises(ValueError, match=match)


@settings(max_examples=40)
@given(specs)
def test_a_spec_counts_the_units_and_parameters_that_its_network_has(spec):
    net = build(spec, seed=0).eval()
    seen = [y[0].numel() for y in activations(net, inputs(spec))]
    assert tuple(seen) == spec.sizes
    assert sum(values.numel() for values in net.parameters()) == spec.n_parameters
    assert net(inputs(spec)).shape == (5, spec.outputs)


def test_parameters_by_hand():
    assert MLP((784, 100, 10)).n_parameters == 784 * 100 + 100 + 100 * 10 + 10
    with_norm = CNN((1, 28, 28), channels=(8, 16), classes=10)
    assert with_norm.n_parameters == 8 * 9 + 2 * 8 + 8 * 16 * 9 + 2 * 16 + 16 * 7 * 7 * 10 + 10
    assert CNN((3, 8, 8), (4,), 2, batch_norm=False).n_parameters == 4 * 3 * 9 + 4 + 4 * 16 * 2 + 2
    assert with_norm.sizes == (8 * 28 * 28, 16 * 14 * 14)


def test_winners_are_counted_in_decimal_and_none_is_relu():
    assert MLP((2, 100, 64, 1), gamma=0.29).winners == (29, 18)
    assert MLP((2, 100, 64, 1), gamma=(None, 0.5)).winners == (None, 32)
    assert MLP((2, 100, 1)).winners == (None,)
    assert MLP((2, 100, 1), gamma=0.125).winners == (12,)
    assert MLP((2, 1)).winners == ()


def test_a_fraction_gives_every_number_of_winners():
    assert all(MLP((1, n, 1), gamma=Fraction(k, n)).winners == (k,) for n in (3, 7, 49, 100) for k in range(1, n + 1))


def test_specs_are_values():
    assert {MLP((2, 3, 4), 0.5): "found"}[MLP((2, 3, 4), 0.5)] == "found"
    assert MLP((2, 3, 4)) != MLP((2, 3, 4), 1.0)
    with pytest.raises(AttributeError):
        MLP((2, 3, 4)).widths = (1, 2)  # ty: ignore


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda: MLP(()), r"at least inputs and outputs, got \(\)"),
        (lambda: MLP((3,)), r"at least inputs and outputs, got \(3,\)"),
        (lambda: MLP((3, 0, 2)), r"widths .* positive whole numbers.*\(3, 0, 2\)"),
        (lambda: MLP((3, -1, 2)), "widths .* positive"),
        (lambda: MLP((3, 2.0, 2)), "widths .* whole"),
        (lambda: MLP((3, True, 2)), "widths .* whole"),
        (lambda: MLP([3, 2]), r"in a tuple.*got \[3, 2\]"),
        (lambda: MLP((3, np.int64(2))), "widths .* whole"),
        (lambda: MLP((2,) * 1001), "may have 1000 entries"),
        (lambda: MLP((2, 2**41)), "up to 1,099,511,627,776"),
        (lambda: MLP((2**21, 2**21)), "at most 1,099,511,627,776 parameters"),
        (lambda: MLP((2, 4, 8, 2), gamma=0.2), "hidden layer 1: gamma = 0.2 of 4 units leaves no winner"),
        (lambda: MLP((2, 8, 4, 2), gamma=0.2), "hidden layer 2: gamma = 0.2 of 4 units leaves no winner"),
        (lambda: MLP((2, 8, 2), gamma=0.0), r"hidden layer 1: gamma must lie in \(0, 1\], got 0.0"),
        (lambda: MLP((2, 8, 2), gamma=1.01), "gamma must lie in .*1.01"),
        (lambda: MLP((2, 8, 2), gamma=-0.5), "gamma must lie in .*-0.5"),
        (lambda: MLP((2, 8, 2), gamma=float("nan")), "gamma must be a number .*nan"),
        (lambda: MLP((2, 8, 2), gamma=True), "gamma must be a number .*True"),
        (lambda: MLP((2, 8, 2), gamma="0.5"), "gamma must be a number .*'0.5'"),
        (lambda: MLP((2, 8, 2), gamma=[0.5]), r"gamma must be a number .*\[0.5\]"),
        (lambda: MLP((2, 8, 2), gamma=(0.5, 0.5)), "one entry per hidden layer, 1, got 2"),
        (lambda: MLP((2, 8, 2), gamma=()), "one entry per hidden layer, 1, got 0"),
        (lambda: MLP((2, 3), gamma=0.5), "no hidden layer to act on"),
        (lambda: MLP((2, 3), init="xavier"), "init must be one of default, he, got 'xavier'"),
        (lambda: MLP((2, 3), kind="cnn"), "the kind of MLP is 'mlp', got 'cnn'"),
        (lambda: CNN((8, 8), (4,), 2), r"image must be \(channels, height, width\), got \(8, 8\)"),
        (lambda: CNN((1, 8, 8), (), 2), "at least one convolution"),
        (lambda: CNN((1, 8, 8), (4,), 0), "classes must be made of positive"),
        (lambda: CNN((1, 8, 8), (4,), 2, kernel=2), "kernel must be odd.*got 2"),
        (lambda: CNN((1, 8, 8), (4,), 2, pool=0), "pool must be made of positive"),
        (lambda: CNN((1, 8, 8), (4, 4, 4, 4), 2), "pool 2 exceeds the 1×1 output of convolution 4"),
        (lambda: CNN((1, 8, 8), (4,), 2, batch_norm=1), "batch_norm must be True or False, got 1"),
        (lambda: CNN((1, 8, 8), (4,), 2, hidden=(0,)), "hidden must be made of positive"),
        (lambda: CNN((1, 8, 8), (4,), 2, hidden=(9,), gamma=0.1), "hidden layer 2: gamma = 0.1 of 9 units"),
        (lambda: CNN((1, 8, 8), (4,), 2, kind="mlp"), "the kind of CNN is 'cnn', got 'mlp'"),
    ],
)
def test_what_is_not_allowed_is_named(wrong, match):
    with unchecked(), refused(match):
        wrong()


@given(specs)
def test_a_spec_survives_json(spec):
    assert from_json(to_json(spec)) == spec
    assert from_json(to_json(spec).encode()) == spec


def test_json_may_leave_out_defaults():
    assert from_json('{"version": 1, "kind": "mlp", "widths": [2, 3]}') == MLP((2, 3))
    short = '{"version": 1, "kind": "cnn", "image": [1, 8, 8], "channels": [4], "classes": 2, "gamma": [0.5]}'
    assert from_json(short) == CNN((1, 8, 8), (4,), 2, gamma=(0.5,))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        (b"\xff\xfe\xfa", "not valid JSON"),
        ('{"version": 1, "kind": "mlp", "widths": [2, 3], "gamma": NaN}', "not valid JSON: NaN is not allowed"),
        ("[]", "a spec must be a JSON object, got list"),
        ("{}", "the version of a spec must be 1, got None"),
        ('{"version": 2, "kind": "mlp", "widths": [2, 3]}', "version of a spec must be 1, got 2"),
        ('{"version": true, "kind": "mlp", "widths": [2, 3]}', "version of a spec must be 1, got True"),
        ('{"version": 1, "widths": [2, 3]}', "kind of a spec must be one of mlp, cnn, resnet18, alexnet, got None"),
        (
            '{"version": 1, "kind": "rnn", "widths": [2, 3]}',
            "kind of a spec must be one of mlp, cnn, resnet18, alexnet, got 'rnn'",
        ),
        ('{"version": 1, "kind": ["mlp"], "widths": [2, 3]}', r"alexnet, got \['mlp'\]"),
        ('{"version": 1, "kind": "mlp"}', "field 'widths' is missing"),
        ('{"version": 1, "kind": "mlp", "widths": [2, 3], "depth": 2}', "unknown field 'depth'"),
        ('{"version": 1, "kind": "mlp", "widths": "2,3"}', "widths must be made of positive whole numbers"),
        ('{"version": 1, "kind": "mlp", "widths": [2, [3]]}', "widths must be made of positive whole numbers"),
        ('{"version": 1, "kind": "mlp", "widths": [2, 3, 2], "gamma": [[1]]}', "gamma must be a number"),
        ('{"version": 1, "kind": "mlp", "widths": [2, 3, 2], "gamma": "1/0"}', "gamma must be a number"),
        ('{"version": 1, "kind": "mlp", "widths": [2, 3, 2], "gamma": "half"}', "gamma must be a number"),
        ('{"version": 1, "kind": "mlp", "widths": [2, 3, 2], "gamma": {"a": 1}}', "gamma must be a number"),
        ('{"version": 1, "kind": "mlp", "widths": [2, 3, 2], "gamma": 1e999}', "hidden layer 1: gamma must"),
        ('{"version": 1, "kind": "mlp", "widths": [2, 3, 2], "init": []}', r"init must be one of .*, got \(\)"),
    ],
)
def test_json_that_is_no_spec_is_refused_with_the_reason(text, match):
    with unchecked(), refused(match):
        from_json(text)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
anything = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=5)


@given(specs, st.data())
def test_a_damaged_spec_gives_a_spec_or_a_sentence(spec, data):
    entries = json.loads(to_json(spec))
    entries[data.draw(st.sampled_from(sorted(entries)))] = data.draw(anything)
    with unchecked():
        try:
            spec = from_json(json.dumps(entries))
        except ValueError:
            return
        assert from_json(to_json(spec)) == spec


def test_the_examples_in_the_docstrings_are_true():
    names = {"torch": torch, "nn": torch.nn, "np": np} | {name: getattr(networks, name) for name in networks.__all__}
    n_examples = 0
    for found in pkgutil.iter_modules(networks.__path__):
        module = importlib.import_module(f"kwta.networks.{found.name}")
        result = doctest.testmod(module, extraglobs=names)
        assert result.failed == 0, found.name
        n_examples += result.attempted
    assert n_examples >= 7
