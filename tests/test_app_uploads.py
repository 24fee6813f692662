"""Data of one's own in the app: a good file is learnt from, a bad one gets a sentence and nothing is lost."""

import io
import time
import tomllib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.compute import Unusable, data, uploads
from app.compute.frames import Framer, as_images, samples
from app.compute.packing import packed
from app.compute.runs import Recipe, Run
from kwta.networks import MLP, build
from kwta.training import Epoch, Training

ROOT = Path(__file__).resolve().parents[1]
CSV = b"x,y,label\n" + b"".join(b"%d,%d,%s\n" % (i % 7, i % 5, (b"a", b"b")[i % 2]) for i in range(60))


def npz(shape: tuple[int, ...], classes: int = 3) -> bytes:
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    np.savez(file, x=rng.random((60, *shape), dtype=np.float32), labels=np.arange(60) % classes)
    return file.getvalue()


def app(**query) -> AppTest:
    test = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=60)
    for name, value in query.items():
        test.query_params[name] = str(value)
    return test


def test_an_uploaded_file_is_found_under_a_name_made_from_its_content():
    name = uploads.keep("my points.csv", CSV)
    assert name == uploads.keep("my points.csv", CSV)
    assert name != uploads.keep("my points.csv", CSV + b"9,9,a\n")
    assert data.data(name).shape == (2,)
    assert data.outline(name).n_classes == 2
    assert data.described(name) == "my_points.csv"


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("a.txt", CSV, "a.txt: own data come as .csv, .npz, .zip"),
        ("a.csv", b"", "a.csv"),
        ("a.csv", b"1,2\n3,4\n", "a.csv"),
        ("a.csv", b"1,nan,a\n3,4,b\n" * 9, "a.csv"),
        ("a.npz", b"PK not really", "a.npz"),
        ("a.zip", b"PK not really", "a.zip is damaged or no ZIP file"),
        ("a.npz", npz((4,), classes=1), "a.npz"),
    ],
)
def test_a_broken_upload_is_refused_with_its_name(file, content, said):
    with pytest.raises(Unusable, match=said):
        uploads.keep(file, content)


def test_a_zip_of_pictures_is_data_to_learn_from():
    from PIL import Image

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, value in (("dark", 10), ("light", 240)):
            for i in range(6):
                picture = io.BytesIO()
                Image.new("L", (7, 5), value + i).save(picture, "PNG")
                archive.writestr(f"mine/{name}/{i}.png", picture.getvalue())
    own = data.data(uploads.keep("mine.zip", file.getvalue()))
    assert own.shape == (1, 5, 7)
    assert own.classes == ("dark", "light")
    run = Run(Recipe("own", MLP((35, 10, 2), 0.3), 0, Training(epochs=30, batch=4), "cpu"), own)
    run.want(10**6)
    run.wait(10**6, 30)
    assert [r.test_accuracy for frame in run.frames for r in frame.records if isinstance(r, Epoch)][-1] == 1


def test_too_large_an_upload_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(uploads, "MAX_BYTES", 10)
    with pytest.raises(Unusable, match="at most 0 MB"):
        uploads.keep("a.csv", CSV)


def test_the_oldest_of_too_many_uploads_goes(monkeypatch):
    monkeypatch.setattr(uploads, "KEPT", 2)
    names = [uploads.keep(f"{i}.csv", CSV) for i in range(3)]
    with pytest.raises(Unusable, match="must be uploaded again"):
        uploads.kept(names[0])
    assert uploads.kept(names[2]).shape == (2,)


def test_a_small_file_that_unpacks_to_much_is_refused():
    file = io.BytesIO()
    np.savez_compressed(file, x=np.zeros((60, 600_000), dtype=np.uint8), labels=np.arange(60) % 2)
    assert len(file.getvalue()) < 2**20
    with pytest.raises(Unusable, match=r"big\.npz .* unpacks to 144,000,480 bytes, and at most 134,217,728 are read"):
        uploads.keep("big.npz", file.getvalue())


def test_uploads_are_kept_up_to_a_number_of_bytes(monkeypatch):
    one = 60 * (4 * 5 + 8)
    monkeypatch.setattr(uploads, "KEPT_BYTES", 2 * one)
    monkeypatch.setattr(uploads, "_kept", type(uploads._kept)())
    names = [uploads.keep(f"{i}.npz", npz((5,))) for i in range(3)]
    with pytest.raises(Unusable, match="must be uploaded again"):
        uploads.kept(names[0])
    assert [uploads.kept(name).shape for name in names[1:]] == [(5,), (5,)]
    large = uploads.keep("large.npz", npz((50,)))
    assert uploads.kept(large).shape == (50,)
    assert list(uploads._kept) == [large]


def test_the_browser_is_told_the_same_limit_of_a_file():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert config["server"]["maxUploadSize"] * 2**20 == uploads.MAX_BYTES


def test_samples_are_the_classes_in_turn():
    labels = np.array([2, 2, 0, 1, 0, 2])
    few = SimpleNamespace(labels_test=labels, n_classes=3)
    assert samples(few, 5).tolist() == [2, 3, 0, 4, 1]
    assert samples(few, 50).tolist() == [2, 3, 0, 4, 1, 5]


def test_samples_of_many_classes_are_not_slower_than_their_number():
    many = SimpleNamespace(labels_test=np.arange(10_000)[::-1].copy(), n_classes=10_000)
    start = time.process_time()
    assert samples(many, 10_000).tolist() == list(range(10_000))[::-1]
    assert time.process_time() - start < 0.5  # turn by turn and class by class: ten seconds


@pytest.mark.parametrize("shape", [(5,), (4, 6), (1, 6, 6), (3, 6, 6), (2, 6, 6)])
def test_inputs_of_any_shape_can_be_learnt_and_drawn(shape):
    own = data.data(uploads.keep("own.npz", npz(shape)))
    spec = MLP((int(np.prod(shape)), 10, 3), 0.3)
    frame = Framer(build(spec, 0), own).frame([])
    assert frame.picture.ndim == 4
    assert frame.picture.shape[1] in (1, 3)
    run = Run(Recipe("own", spec, 0, Training(epochs=1), "cpu"), own)
    assert len(packed([run, run], "name", 0, own)) > 100
    assert run.error is None
    run.cancel()


def test_a_vector_is_laid_out_row_by_row():
    import torch

    image = as_images(torch.arange(5.0)[None])
    assert image.tolist() == [[[[0, 1, 2], [3, 4, 0], [0, 0, 0]]]]


def test_a_link_to_an_upload_that_is_here_is_followed_and_another_gets_a_message():
    name = uploads.keep("mine.csv", CSV)
    here = app(data=name).run()
    assert not here.exception
    assert here.selectbox(key="data").value == name
    gone = app(data="own-mine.csv-0000000000").run()
    assert not gone.exception
    assert any(
        "The file 'mine.csv' must be uploaded again: this server no longer has it; using digits" in warning.value
        for warning in gone.warning
    )
    assert gone.selectbox(key="data").value == "digits"


def test_noise_belongs_to_the_made_sets():
    assert not [s for s in app(data="digits").run().slider if s.key == "noise"]
    test = app(data="moons", noise=0.3).run()
    assert not test.exception
    assert test.slider(key="noise").value == 0.3
    assert data.spec("moons@0.3").noise == 0.3
    with pytest.raises(data.DataError):
        data.spec("moons@-1")
