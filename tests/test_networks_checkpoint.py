"""Checkpoints: equal to the last bit, atomic, and whatever does not fit is refused with the reason."""

import json
import os
import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load as read_tensors
from safetensors.torch import save as written_tensors
from some_networks import inputs, specs, unchecked
from torch import nn

from kwta import __version__
from kwta.networks import (
    CNN,
    MLP,
    build,
    checkpoint,
    from_arrays,
    from_bytes,
    gammas_of,
    info,
    load,
    save,
    set_gamma,
    to_bytes,
    with_kwta,
)

NET = MLP((3, 10, 8, 2), gamma=(0.5, None))
RECORD = {"data": "digits", "accuracy": {"train": 1.0, "test": 0.97}, "epochs": [1, 2]}


def trained(spec, seed=3):
    """A network whose weights and batch statistics are no longer those it was built with."""
    net = build(spec, seed)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        net(inputs(spec, 8)).square().mean().backward()
        optimiser.step()
    return net.eval()


def same(a: nn.Module, b: nn.Module) -> bool:
    x, y = a.state_dict(), b.state_dict()
    return x.keys() == y.keys() and all(torch.equal(x[name], y[name]) for name in x)


@settings(max_examples=30)
@given(specs)
def test_a_network_survives_bytes_to_the_last_bit(spec):
    net = trained(spec)
    back = from_bytes(to_bytes(net))
    assert (back.spec, back.seed, gammas_of(back)) == (spec, 3, gammas_of(net))
    assert same(net, back)
    assert torch.equal(net(inputs(spec)), back(inputs(spec)))


def test_a_network_survives_a_folder_with_its_record_and_annealed_gamma(tmp_path):
    spec = CNN((1, 8, 8), (2, 3), 4, hidden=(6,), gamma=(0.25, None, 0.5))
    net = trained(spec)
    set_gamma(net, (0.125, None, Fraction(1, 3)))
    save(net, tmp_path / "deep" / "run", RECORD)
    back = load(str(tmp_path / "deep" / "run"))
    assert torch.equal(net(inputs(spec)), back(inputs(spec)))
    assert gammas_of(back) == (0.125, None, Fraction(1, 3))
    assert back.spec == spec
    assert back.record == RECORD
    assert not back.training
    assert sorted(path.name for path in (tmp_path / "deep" / "run").iterdir()) == ["spec.json", "weights.safetensors"]
    header = info(tmp_path / "deep" / "run")
    assert header["record"] == RECORD
    assert (header["kwta"], header["seed"], header["dtype"]) == (__version__, 3, "float32")
    assert header["gammas"] == [0.125, None, "1/3"]
    assert same(back, from_bytes((tmp_path / "deep" / "run" / "weights.safetensors").read_bytes()))


def test_the_record_stays_unless_another_is_given(tmp_path):
    save(build(NET, 0), tmp_path, RECORD)
    net = load(tmp_path)
    save(net, tmp_path)
    assert load(tmp_path).record == RECORD
    save(net, tmp_path, {})
    assert load(tmp_path).record == {}
    assert from_bytes(to_bytes(net)).record == RECORD
    assert from_bytes(to_bytes(net, {"a": 1})).record == {"a": 1}


def test_given_weights_stay_float64_and_have_no_seed():
    rng = np.random.default_rng(0)
    net = from_arrays([rng.normal(size=(5, 2)), rng.normal(size=(1, 5))], [rng.normal(size=5), rng.normal(size=1)], 0.4)
    back = from_bytes(to_bytes(net))
    x = torch.from_numpy(rng.normal(size=(9, 2)))
    assert torch.equal(net(x), back(x))
    assert back.seed is None


def test_a_converted_network_can_be_saved_too():
    net = with_kwta(trained(MLP((3, 10, 2))), 0.5)
    assert torch.equal(from_bytes(to_bytes(net))(inputs(net.spec)), net(inputs(net.spec)))


def test_an_older_checkpoint_is_replaced_and_other_files_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    save(build(NET, 0), tmp_path)
    other = build(MLP((4, 4)), 1)
    save(other, tmp_path)
    assert same(load(tmp_path), other)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_older_checkpoint_as_it_was(tmp_path, monkeypatch, failing):
    old = build(NET, 0)
    save(old, tmp_path)

    def full(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, failing, full)
        with pytest.raises(OSError, match="no space left"):
            save(build(NET, 1), tmp_path)
    assert same(load(tmp_path), old)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_stop_between_the_two_files_leaves_the_newer_network_whole(tmp_path, monkeypatch):
    save(build(NET, 0), tmp_path)
    replace_file = os.replace
    names = []

    def once(source, target):
        names.append(Path(target).name)
        if len(names) == 2:
            raise OSError("stopped")
        replace_file(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", once)
        with pytest.raises(OSError, match="stopped"):
            save(build(NET, 1), tmp_path)
    assert names == ["weights.safetensors", "spec.json"]
    assert same(load(tmp_path), build(NET, 1))
    assert json.loads((tmp_path / "spec.json").read_text())["seed"] == 0
    assert (load(tmp_path).seed, info(tmp_path)["seed"]) == (1, 1)


def half():
    return build(NET, 0).half()


def mixed():
    net = build(NET, 0)
    net.get_submodule("output").double()
    return net


def diverged():
    net = build(NET, 0)
    net.get_parameter("linear2.bias").data[1] = torch.nan
    return net


def longer():
    net = build(NET, 0)
    net.add_module("more", nn.Linear(2, 2))
    return net


def livelier():
    net = build(NET, 0)
    net.add_module("more", nn.ReLU())
    return net


@pytest.mark.parametrize(
    ("make", "record", "match"),
    [
        (lambda: nn.Sequential(nn.Linear(2, 2)), None, "only networks made from a spec .* got Sequential"),
        (lambda: build(NET, 0)[:2], None, "only networks made from a spec"),
        (half, None, "all float64, got float16"),
        (mixed, None, "all float64, got float32, float64"),
        (diverged, None, r"tensor linear2\.bias holds values that are not finite"),
        (longer, None, r"tensor more\.bias is not in the spec"),
        (livelier, None, "gammas must list one entry for each of the 2 hidden layers"),
        (lambda: build(NET, 0), {"x": float("inf")}, "finite JSON values"),
        (lambda: build(NET, 0), {"x": object()}, "finite JSON values: .*not JSON serializable"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, make, record, match):
    for write in (lambda net: save(net, tmp_path / "new", record), lambda net: to_bytes(net, record)):
        with pytest.raises(ValueError, match=match):
            write(make())
    assert not (tmp_path / "new").exists()


def repacked(change_tensors=None, change_header=None, metadata=True) -> bytes:
    """The bytes of a good network with its tensors or its header changed."""
    data = to_bytes(build(NET, 0))
    tensors = read_tensors(data)
    header = json.loads(json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])["__metadata__"]["kwta"])
    tensors = change_tensors(tensors) if change_tensors else tensors
    header = change_header(header) if change_header else header
    return written_tensors(tensors, {"kwta": json.dumps(header)} if metadata else None)


def with_tensor(name, value):
    return lambda tensors: {**tensors, name: value}


def without(name):
    return lambda entries: {key: value for key, value in entries.items() if key != name}


def with_field(**fields):
    return lambda header: {**header, **fields}


def with_spec(**fields):
    return lambda header: {**header, "spec": {**header["spec"], **fields}}


GOOD = repacked()


def test_the_unchanged_bytes_are_fine():
    assert same(from_bytes(GOOD), build(NET, 0))


DAMAGED = [
    (b"", "ends before its header does"),
    (b"\xff" * 40, "ends before its header does"),
    (GOOD[:7], "ends before its header does"),
    (GOOD[:-1], "not a complete safetensors file"),
    (GOOD[:-100], "not a complete safetensors file"),
    (GOOD + b"x", "not a complete safetensors file"),
    (b"\x04" + b"\x00" * 7 + b"nope", "not valid JSON"),
    (b"\x02" + b"\x00" * 7 + b"[]", "no spec in its metadata"),
    (repacked(metadata=False), "no spec in its metadata"),
    (repacked(without("output.bias")), r"tensor output\.bias of the spec is missing"),
    (repacked(with_tensor("linear3.weight", torch.ones(2))), r"tensor linear3\.weight is not in the spec"),
    (repacked(with_tensor("output.bias", torch.ones(3))), r"tensor output\.bias has the shape 3, the spec says 2"),
    (repacked(with_tensor("output.bias", torch.ones(()))), "has the shape scalar, the spec says 2"),
    (repacked(with_tensor("output.bias", torch.ones(2).double())), "is torch.float64, the header says torch.float32"),
    (repacked(with_tensor("output.bias", torch.ones(2).int())), "is torch.int32, the header says torch.float32"),
    (repacked(with_tensor("output.bias", torch.tensor([0, torch.nan]))), r"output\.bias holds values .* not finite"),
    (repacked(with_tensor("output.bias", torch.tensor([0, torch.inf]))), r"output\.bias holds values .* not finite"),
    (repacked(None, lambda _: []), "a header must be a JSON object, got list"),
    (repacked(None, with_field(version=2)), "version of a checkpoint must be 1, got 2"),
    (repacked(None, without("version")), "version of a checkpoint must be 1, got None"),
    (repacked(None, without("seed")), "a header has the fields .* got dtype"),
    (repacked(None, with_field(more=1)), "a header has the fields"),
    (repacked(None, with_field(seed=-1)), "seed must be .* got -1"),
    (repacked(None, with_field(seed=1.5)), "seed must be .* got 1.5"),
    (repacked(None, with_field(dtype="float16")), "dtype must be one of float32, float64, got 'float16'"),
    (repacked(None, with_field(dtype=["float32"])), "dtype must be one of float32, float64"),
    (repacked(None, with_field(dtype="float64")), "is torch.float32, the header says torch.float64"),
    (repacked(None, with_field(record=3)), "record must be an object or null, got 3"),
    (repacked(None, with_field(gammas=[0.5])), "gammas must list one entry for each of the 2 hidden layers"),
    (repacked(None, with_field(gammas=0.5)), "gammas must list one entry"),
    (repacked(None, with_field(gammas=[0.5, 0.5])), "hidden layer 2 is ReLU"),
    (repacked(None, with_field(gammas=[None, None])), "hidden layer 1 is k-WTA"),
    (repacked(None, with_field(gammas=[0.05, None])), "hidden layer 1: gamma = 0.05 of 10 units"),
    (repacked(None, with_field(gammas=[[1], None])), "gamma must be a number"),
    (repacked(None, with_field(gammas=["x", None])), "gamma must be a number"),
    (repacked(None, with_field(spec=None)), "a spec must be a JSON object, got NoneType"),
    (repacked(None, with_spec(version=9)), "version of a spec must be 1, got 9"),
    (repacked(None, with_spec(kind="rnn")), "kind of a spec must be one of mlp, cnn, resnet18, alexnet, got 'rnn'"),
    (repacked(None, with_spec(widths=[3, 10, 9, 2])), "the spec says"),
    (repacked(None, with_spec(widths=[3, 2**30, 2**30, 2])), "at most .* parameters"),
    (repacked(None, with_spec(widths=[3, 2**19, 2**19, 2])), "the spec says 524288"),
    (repacked(None, with_spec(widths=[3] + [2] * 1000)), "may have 1000 entries"),
]


@pytest.mark.parametrize(("data", "match"), DAMAGED)
def test_bytes_that_do_not_fit_are_refused_with_the_reason(data, match):
    with unchecked(), pytest.raises(ValueError, match=match):
        from_bytes(data)


@pytest.mark.parametrize(("data", "match"), DAMAGED[:7] + DAMAGED[9:17])
def test_a_folder_with_other_weights_is_refused_too(tmp_path, data, match):
    save(build(NET, 0), tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(data)
    with pytest.raises(ValueError, match=match):
        load(tmp_path)


def test_weights_without_metadata_fit_a_spec_written_beside_them(tmp_path):
    save(build(NET, 0), tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(repacked(metadata=False))
    assert same(load(tmp_path), build(NET, 0))


@pytest.mark.parametrize("text", ["{", "[]", "", "another spec", None])
def test_the_header_beside_the_weights_decides_nothing(tmp_path, text):
    save(build(NET, 0), tmp_path, RECORD)
    spec = tmp_path / "spec.json"
    spec.write_text(spec.read_text().replace("10", "11", 1) if text == "another spec" else text or "")
    if text is None:
        spec.unlink()
    back = load(tmp_path)
    assert same(back, build(NET, 0))
    assert (back.spec, back.record) == (NET, RECORD)
    assert info(tmp_path)["record"] == RECORD


@pytest.mark.parametrize(("text", "match"), [("{", "not valid JSON"), ("[]", "must be a JSON object")])
def test_weights_without_metadata_need_a_sound_spec_beside_them(tmp_path, text, match):
    save(build(NET, 0), tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(repacked(metadata=False))
    (tmp_path / "spec.json").write_text(text)
    for read in (load, info):
        with pytest.raises(ValueError, match=match):
            read(tmp_path)
    (tmp_path / "spec.json").unlink()
    for read in (load, info):
        with pytest.raises(FileNotFoundError, match=r"spec\.json"):
            read(tmp_path)


def test_a_folder_without_weights_is_refused_and_still_says_what_it_was(tmp_path):
    for read in (load, info):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "nowhere")
    save(build(NET, 0), tmp_path)
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"weights\.safetensors"):
        load(tmp_path)
    assert info(tmp_path)["seed"] == 0


@pytest.mark.parametrize("content", [b"", b"\xff" * 8, b"\xff" * 20, GOOD[:40]])
def test_a_cut_header_is_refused_by_info_too(tmp_path, content):
    save(build(NET, 0), tmp_path)
    (tmp_path / "weights.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="not a complete safetensors file"):
        info(tmp_path)


def test_large_uploads_are_refused_by_their_size():
    assert from_bytes(GOOD, max_bytes=len(GOOD)).seed == 0
    with pytest.raises(ValueError, match=f"the file has {len(GOOD):,} bytes, allowed are {len(GOOD) - 1:,}"):
        from_bytes(GOOD, max_bytes=len(GOOD) - 1)
    assert checkpoint.MAX_BYTES < 2**30


@settings(max_examples=300)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.integers(0, len(GOOD)))
def test_a_damaged_file_gives_a_network_or_a_sentence(place, value, end):
    data = bytearray(GOOD)
    data[place] = value
    for damaged in (bytes(data), bytes(data[:end])):
        with unchecked():
            try:
                net = from_bytes(damaged)
            except ValueError:
                continue
        assert all(torch.isfinite(values).all() for values in net.parameters())


def test_the_same_network_gives_the_same_bytes():
    assert to_bytes(build(NET, 0)) == to_bytes(build(replace(NET), 0))


def test_nothing_is_pickled():
    data = to_bytes(build(NET, 0), RECORD)
    n_header = struct.unpack("<Q", data[:8])[0]
    n_values = sum(values.numel() for values in build(NET, 0).state_dict().values())
    assert set(json.loads(data[8 : 8 + n_header])) == {"__metadata__", *build(NET, 0).state_dict()}
    assert len(data) == 8 + n_header + 4 * n_values
