"""The public image sets: file formats, the folder KWTA_DATA, selections, and downloads from a server of our own."""

import gzip
import hashlib
import io
import logging
import os
import struct
import subprocess
import sys
import tarfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest
from scipy.io import savemat

from kwta.datasets import DownloadError, Images, Source, load
from kwta.datasets.sources import IDX_FILES, MNIST, SOURCES, at_hand, cache_folder
from kwta.datasets.specs import IMAGES

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """No test reads or writes the user's folders, nor asks a proxy for this machine."""
    monkeypatch.delenv("KWTA_DATA", raising=False)
    monkeypatch.setenv("KWTA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


# Small files in the real formats.


def idx(array: np.ndarray) -> bytes:
    return gzip.compress(bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())


def pixels(n: int, *shape: int) -> np.ndarray:
    return RNG.integers(0, 256, (n, *shape), dtype=np.uint8)


def digits(n: int) -> np.ndarray:
    return (np.arange(n) % 10).astype(np.uint8)


def mnist_files() -> dict[str, bytes]:
    parts = (idx(pixels(40, 28, 28)), idx(digits(40)), idx(pixels(20, 28, 28)), idx(digits(20)))
    return dict(zip(IDX_FILES, parts, strict=True))


def tar(members: dict[str, bytes], links: tuple[str, ...] = ()) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def cifar_members(n: int = 4) -> dict[str, bytes]:
    names = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
    batches = [np.column_stack([RNG.integers(0, 10, n, dtype=np.uint8), pixels(n, 3072)]) for _ in names]
    return {f"cifar-10-batches-bin/{name}.bin": batch.tobytes() for name, batch in zip(names, batches, strict=True)}


def mat(**variables) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, do_compression=True)
    return file.getvalue()


def svhn_files(n: int = 12) -> dict[str, bytes]:
    y = (np.arange(n) % 10 + 1).astype(np.uint8)[:, None]  # 1..10, as in the original
    return {f"{part}_32x32.mat": mat(X=pixels(32, 32, 3, n), y=y) for part in ("train", "test")}


def given(folder: Path, name: str, files: dict[str, bytes], monkeypatch) -> None:
    (folder / name).mkdir()
    for file, content in files.items():
        (folder / name / file).write_bytes(content)
    monkeypatch.setenv("KWTA_DATA", str(folder))


# The originals.


@pytest.fixture(scope="module")
def mnist(data_folder):
    if not (data_folder / "mnist").is_dir():
        pytest.skip(f"no folder mnist in {data_folder}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KWTA_DATA", str(data_folder))
        return load(Images("mnist"))


def test_mnist_is_mnist(mnist):
    assert mnist.x_train.shape == (60_000, 1, 28, 28)
    assert mnist.x_test.shape == (10_000, 1, 28, 28)
    assert mnist.labels_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.labels_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(mnist.labels_train).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.labels_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.box == (mnist.x_train.min(), mnist.x_train.max()) == (0.0, 1.0)
    # The well-known mean and standard deviation of the training pixels.
    assert mnist.x_train.mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)
    assert mnist.x_train.std(dtype=np.float64) == pytest.approx(0.3081, abs=5e-5)


def test_a_selection_of_mnist_is_balanced_and_taken_from_it(mnist, data_folder, monkeypatch):
    monkeypatch.setenv("KWTA_DATA", str(data_folder))
    few, more = load(Images("mnist", train=205, test=10)), load(Images("mnist", train=1000, test=10))
    assert sorted(np.bincount(few.labels_train)) == [20] * 5 + [21] * 5
    assert np.bincount(few.labels_test).tolist() == [1] * 10
    original = {x.tobytes(): label for x, label in zip(mnist.x_train, mnist.labels_train, strict=True)}
    chosen = {x.tobytes() for x in few.x_train}
    assert len(chosen) == 205
    assert all(original[x.tobytes()] == label for x, label in zip(few.x_train, few.labels_train, strict=True))
    assert chosen <= {x.tobytes() for x in more.x_train}
    assert chosen != {x.tobytes() for x in load(Images("mnist", train=205, test=10, seed=1)).x_train}


def test_the_checksums_of_mnist_are_those_of_the_original_files(data_folder):
    if not (data_folder / "mnist").is_dir():
        pytest.skip(f"no folder mnist in {data_folder}")
    for file, checksum in MNIST.files:
        assert hashlib.sha256((data_folder / "mnist" / file).read_bytes()).hexdigest() == checksum


def test_every_set_has_addresses_and_checksums_for_its_files():
    assert tuple(SOURCES) == IMAGES
    for source in SOURCES.values():
        assert all(mirror.startswith(("https://", "http://")) and mirror.endswith("/") for mirror in source.mirrors)
        assert all(len(checksum) == 64 and int(checksum, 16) for _, checksum in source.files)


# Formats.


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_idx_files_are_read_row_by_row(name, tmp_path, monkeypatch):
    images = np.zeros((40, 28, 28), dtype=np.uint8)
    images[3, 5, 7] = 51
    files = mnist_files() | {IDX_FILES[0]: idx(images)}
    given(tmp_path, name, files, monkeypatch)
    data = load(Images(name))
    assert data.x_train.shape == (40, 1, 28, 28)
    assert data.x_train[3, 0, 5, 7] == np.float32(0.2) == data.x_train.sum()
    assert data.labels_test.tolist() == digits(20).tolist()
    assert data.n_classes == 10


def test_cifar_batches_are_read_in_order_by_channels_and_rows(tmp_path, monkeypatch):
    members = cifar_members()
    reversed_members = {f"./{name}": members[name] for name in reversed(members)} | {
        "cifar-10-batches-bin/readme.html": b"hi"
    }
    given(tmp_path, "cifar10", {"cifar-10-binary.tar.gz": tar(reversed_members)}, monkeypatch)
    data = load(Images("cifar10"))
    assert data.x_train.shape == (20, 3, 32, 32)
    assert data.x_test.shape == (4, 3, 32, 32)
    assert data.classes[:2] == ("airplane", "automobile")
    record = members["cifar-10-batches-bin/data_batch_2.bin"][3073:6146]  # image 4 + 1 of the training set
    assert data.labels_train[5] == record[0]
    green, row, column = 1, 3, 30
    assert data.x_train[5, green, row, column] == np.float32(record[1 + 1024 * green + 32 * row + column]) / np.float32(
        255
    )
    assert data.labels_test.tolist() == list(members["cifar-10-batches-bin/test_batch.bin"][::3073])


def test_svhn_images_are_turned_to_channels_first_and_label_ten_is_the_digit_zero(tmp_path, monkeypatch):
    x = np.zeros((32, 32, 3, 12), dtype=np.uint8)
    x[5, 7, 2, 3] = 51  # row 5, column 7, blue, image 3
    y = (np.arange(12) % 10 + 1).astype(np.uint8)[:, None]
    given(tmp_path, "svhn", svhn_files() | {"train_32x32.mat": mat(X=x, y=y)}, monkeypatch)
    data = load(Images("svhn"))
    assert data.x_train.shape == (12, 3, 32, 32)
    assert data.x_train[3, 2, 5, 7] == np.float32(0.2) == data.x_train.sum()
    assert data.labels_train.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert data.classes[0] == "0"


def test_a_selection_larger_than_the_files_is_refused(tmp_path, monkeypatch):
    given(tmp_path, "mnist", mnist_files(), monkeypatch)
    assert len(load(Images("mnist", train=40)).x_train) == 40
    with pytest.raises(ValueError, match="mnist, training: 41 images wanted, but the files hold 40"):
        load(Images("mnist", train=41))


IMAGES_FILE, LABELS_FILE = IDX_FILES[:2]
CIFAR_FILE, SVHN_FILE = "cifar-10-binary.tar.gz", "train_32x32.mat"
PLAIN = gzip.decompress(idx(digits(40)))
ONE_BATCH = "cifar-10-batches-bin/data_batch_3.bin"

DAMAGED = {
    "an empty file": ("mnist", LABELS_FILE, b"", "is cut off: its gzip stream has no end"),
    "no gzip": ("mnist", LABELS_FILE, PLAIN, "is no intact gzip file: .*incorrect header"),
    "a cut gzip": ("mnist", IMAGES_FILE, idx(pixels(40, 28, 28))[:-100], "is cut off: its gzip stream has no end"),
    "a flipped bit": (
        "mnist",
        LABELS_FILE,
        idx(digits(40))[:-6] + bytes(6),
        "is no intact gzip file: .*incorrect data check",
    ),
    "nothing inside": ("mnist", LABELS_FILE, gzip.compress(b""), "starts with nothing"),
    "images for labels": (
        "mnist",
        LABELS_FILE,
        idx(pixels(40, 28, 28)),
        "starts with 00 00 08 03; .* in 1 dimensions start with 00 00 08 01",
    ),
    "a web page": ("mnist", IMAGES_FILE, gzip.compress(b"<html></html>"), "starts with 3c 68 74 6d"),
    "a cut header": ("mnist", IMAGES_FILE, gzip.compress(b"\0\0\x08\x03\0\0"), "starts with 00 00 08 03"),
    "too few values": ("mnist", LABELS_FILE, gzip.compress(PLAIN[:-1]), "holds 39 values; its header announces 40"),
    "too many values": ("mnist", LABELS_FILE, gzip.compress(PLAIN + b"\0"), "holds 41 values; its header announces 40"),
    "an overflowing header": (
        "mnist",
        IMAGES_FILE,
        gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12),
        "announces 4294967295 × 4294967295",
    ),
    "other images": ("mnist", IMAGES_FILE, idx(pixels(40, 8, 8)), "images of 8×8 pixels; this set has 28×28"),
    "labels of others": ("mnist", LABELS_FILE, idx(digits(41)), "mnist, training: there are 40 images but 41 labels"),
    "a label of eleven": (
        "mnist",
        LABELS_FILE,
        idx(digits(40) + 2),
        r"mnist: labels_train\[8\] is 10; labels must lie in 0\.\.9",
    ),
    "one digit only": ("mnist", LABELS_FILE, idx(digits(40) * 0), "every training label is '0'"),
    "no images": ("mnist", IMAGES_FILE, idx(pixels(0, 28, 28)), "there are 0 images but 40 labels"),
    "an empty tar": ("cifar10", CIFAR_FILE, b"", "is no intact .tar.gz archive"),
    "no tar": ("cifar10", CIFAR_FILE, gzip.compress(b"junk" * 300), "is no intact .tar.gz archive"),
    "a cut tar": ("cifar10", CIFAR_FILE, tar(cifar_members())[:-5000], "is no intact .tar.gz archive"),
    "a batch that lacks": (
        "cifar10",
        CIFAR_FILE,
        tar({"a.bin": b""}),
        "lacks cifar-10-batches-bin/data_batch_1.bin, .*test_batch",
    ),
    "a link for a batch": ("cifar10", CIFAR_FILE, tar({}, (ONE_BATCH,)), f"lacks .*{ONE_BATCH}"),
    "a cut batch": (
        "cifar10",
        CIFAR_FILE,
        tar(cifar_members() | {ONE_BATCH: bytes(3072)}),
        "data_batch_3.bin has 3072 bytes; a batch",
    ),
    "an empty batch": (
        "cifar10",
        CIFAR_FILE,
        tar(cifar_members() | {ONE_BATCH: b""}),
        "data_batch_3.bin has 0 bytes; a batch",
    ),
    "a huge batch": (
        "cifar10",
        CIFAR_FILE,
        tar(cifar_members() | {ONE_BATCH: bytes(30_733_073)}),
        "has 30733073 bytes; a batch",
    ),
    "a strange label": (
        "cifar10",
        CIFAR_FILE,
        tar(cifar_members() | {ONE_BATCH: b"\x0a" + bytes(3072)}),
        r"cifar10: labels_train\[8\] is 10",
    ),
    "no MATLAB": ("svhn", SVHN_FILE, b"junk" * 100, "train_32x32.mat is no intact MATLAB file"),
    "no bytes": ("svhn", SVHN_FILE, b"", "is no intact MATLAB file"),
    "a cut MATLAB file": ("svhn", SVHN_FILE, svhn_files()[SVHN_FILE][:3000], "is no intact MATLAB file"),
    "no y": ("svhn", SVHN_FILE, mat(X=pixels(32, 32, 3, 2)), "has no variable y; SVHN's files hold X and y"),
    "images first": (
        "svhn",
        SVHN_FILE,
        mat(X=pixels(2, 32, 32, 3), y=[[1], [2]]),
        r"X is uint8 \(2, 32, 32, 3\); SVHN's is",
    ),
    "floats": ("svhn", SVHN_FILE, mat(X=np.zeros((32, 32, 3, 2)), y=[[1], [2]]), r"X is float64 .*SVHN's is uint8"),
    "labels in a row": (
        "svhn",
        SVHN_FILE,
        mat(X=pixels(32, 32, 3, 2), y=[[1, 2]]),
        r"y is int64 \(1, 2\); .* \(2, 1\)",
    ),
    "a label of none": (
        "svhn",
        SVHN_FILE,
        mat(X=pixels(32, 32, 3, 2), y=[[1], [0]]),
        r"y holds 0; SVHN's labels are 1\.\.10",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_refused(case, tmp_path, monkeypatch):
    name, file, content, message = DAMAGED[case]
    whole = {"mnist": mnist_files, "cifar10": dict, "svhn": svhn_files}[name]()
    given(tmp_path, name, whole | {file: content}, monkeypatch)
    with pytest.raises(ValueError, match=message) as caught:
        load(Images(name))
    assert name in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_a_data_folder_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("KWTA_DATA", "/no/such/folder")
    with pytest.raises(ValueError, match="KWTA_DATA must name a folder that exists, got '/no/such/folder'"):
        load(Images("mnist"))


# Downloads.


class Server:
    """A file server on this machine with the bad habits a test asks for."""

    def __init__(self, files: dict[str, bytes], cut: int = 0, status: int = 200) -> None:
        self.requests: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.path)
                content = files.get(self.path.rpartition("/")[2])
                if content is None or status != 200:
                    return self.send_error(status if content is not None else 404)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: len(content) - cut])
                return None

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/some/where/"


@contextmanager
def serving(files, **habits):
    server = Server(files, **habits)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


FILES = mnist_files()


def source(*mirrors: str, files: dict[str, bytes] = FILES) -> Source:
    return Source(
        "mnist", mirrors, tuple((file, hashlib.sha256(content).hexdigest()) for file, content in files.items())
    )


def left_behind() -> list[str]:
    return sorted(path.name for path in cache_folder().rglob("*") if path.is_file())


def closed_port() -> str:
    with Server({}).http as http:
        return f"http://127.0.0.1:{http.server_port}/"


def test_files_are_downloaded_once_and_then_kept():
    with serving(FILES) as server:
        data = load(Images("mnist"), source(server.url))
        assert len(server.requests) == 4
        load(Images("mnist", train=10), source(server.url))
        assert len(server.requests) == 4
    assert left_behind() == sorted(FILES)
    again = load(Images("mnist"), source(server.url))  # the server is gone
    assert again.x_train.tobytes() == data.x_train.tobytes()
    assert data.labels_train.tolist() == digits(40).tolist()


def test_the_data_folder_comes_before_the_cache_and_may_be_incomplete(tmp_path, monkeypatch):
    other = idx(digits(40)[::-1])
    given(tmp_path, "mnist", {LABELS_FILE: other}, monkeypatch)
    with serving(FILES) as server:
        data = load(Images("mnist"), source(server.url))
    assert data.labels_train.tolist() == digits(40)[::-1].tolist()
    assert [path.rpartition("/")[2] for path in server.requests] == [f for f in IDX_FILES if f != LABELS_FILE]


def test_a_second_mirror_serves_when_the_first_fails():
    with serving({}) as empty, serving(FILES) as full:
        data = load(Images("mnist"), source(closed_port(), empty.url, full.url))
    assert len(data.x_train) == 40
    assert len(empty.requests) == len(full.requests) == 4


def refusal(*mirrors: str) -> str:
    with pytest.raises(DownloadError) as caught:
        load(Images("mnist"), source(*mirrors))
    assert isinstance(caught.value, OSError)
    return str(caught.value)


HABITS = {
    "a missing file": ({IMAGES_FILE: None}, {}, "the server answered 404"),
    "a server in trouble": ({}, {"status": 503}, "the server answered 503"),
    "a wrong checksum": (
        {IMAGES_FILE: idx(pixels(40, 28, 28))},
        {},
        "wrong checksum: the file is damaged or another one",
    ),
    "an empty answer": ({IMAGES_FILE: b""}, {}, "wrong checksum: the file is damaged or another one"),
    "a broken connection": ({}, {"cut": 1000}, "the connection broke off"),
}


@pytest.mark.parametrize("case", HABITS)
def test_a_failed_download_says_why_and_what_to_do_and_leaves_nothing_behind(case):
    changes, habits, reason = HABITS[case]
    files = {name: content for name, content in (FILES | changes).items() if content is not None}
    with serving(files, **habits) as server:
        message = refusal(server.url)
    assert f"mnist: {IMAGES_FILE} could not be downloaded ({server.url}{IMAGES_FILE}: {reason})" in message
    assert f"put {', '.join(IDX_FILES)} into a folder mnist/ and set KWTA_DATA to the folder above it" in message
    assert left_behind() == []


def test_without_a_server_the_message_names_every_mirror():
    mirrors = closed_port(), closed_port()
    message = refusal(*mirrors)
    assert all(f"{mirror}{IMAGES_FILE}: no connection" in message for mirror in mirrors)
    assert left_behind() == []


def test_a_failure_halfway_keeps_the_whole_files_and_no_other():
    with serving({name: FILES[name] for name in IDX_FILES[:2]}) as server:
        assert IDX_FILES[2] in refusal(server.url)
    assert left_behind() == sorted(IDX_FILES[:2])
    with serving(FILES) as server:
        load(Images("mnist"), source(server.url))
    assert len(server.requests) == 2


def test_a_damaged_file_in_the_cache_is_never_used_but_fetched_again():
    with serving(FILES) as server:
        load(Images("mnist"), source(server.url))
        (cache_folder() / "mnist" / LABELS_FILE).write_bytes(idx(digits(40)[::-1]))
        assert load(Images("mnist"), source(server.url)).labels_train.tolist() == digits(40).tolist()
    (cache_folder() / "mnist" / LABELS_FILE).write_bytes(FILES[LABELS_FILE][:10])
    assert "no connection" in refusal(server.url)


def test_an_interrupted_download_leaves_nothing_behind(monkeypatch):
    import requests

    def interrupted(*_, **__):
        yield b"some bytes"
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Response, "iter_content", interrupted)
    with serving(FILES) as server, pytest.raises(KeyboardInterrupt):
        load(Images("mnist"), source(server.url))
    assert left_behind() == []


def test_a_cache_that_cannot_be_written_is_a_download_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("KWTA_CACHE", str(tmp_path / "file"))
    with serving(FILES) as server:
        assert f"{IMAGES_FILE} could not be downloaded" in refusal(server.url)


def test_two_threads_may_ask_for_the_same_files_at_once():
    results = []
    with serving(FILES) as server:
        ask = lambda: results.append(load(Images("mnist"), source(server.url)).x_train.tobytes())  # noqa: E731
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 4
    assert len(set(results)) == 1
    assert left_behind() == sorted(FILES)


def test_a_set_is_at_hand_once_its_last_file_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KWTA_DATA", "~/given")
    folders = [tmp_path / "given" / "mnist", tmp_path / "cache" / "mnist"]
    for number, (file, content) in enumerate(FILES.items()):
        assert not at_hand(source())
        folders[number % 2].mkdir(parents=True, exist_ok=True)
        (folders[number % 2] / file).write_bytes(content)
    assert at_hand(source())
    assert len(load(Images("mnist"), source(closed_port())).x_train) == 40
    monkeypatch.setenv("KWTA_DATA", str(tmp_path / "nowhere"))
    assert not at_hand(source())


def test_downloads_say_nothing_and_leave_the_logger_as_it_was(monkeypatch):
    logger, said = pooch.get_logger(), []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: said.append(record.getMessage()))
    before = (logger.level, list(logger.filters))
    logger.addHandler(handler)
    try:
        with serving({}) as empty, serving(FILES) as full:
            load(Images("mnist"), source(empty.url, full.url))
        assert said == []
        logger.info("heard again")
        assert said == ["heard again"]
    finally:
        logger.removeHandler(handler)
    assert (logger.level, list(logger.filters)) == before


def test_progress_is_drawn_on_stderr_only_when_asked_for(capfd):
    with serving(FILES) as server:
        load(Images("mnist"), source(server.url), progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "100%" in err


@pytest.mark.parametrize(("name", "files"), [("cifar10", {CIFAR_FILE: tar(cifar_members())}), ("svhn", svhn_files())])
def test_the_other_formats_are_downloaded_too(name, files):
    with serving(files) as server:
        known = tuple((file, hashlib.sha256(content).hexdigest()) for file, content in files.items())
        data = load(Images(name), Source(name, (server.url,), known))
    assert data.shape == (3, 32, 32)
    assert left_behind() == sorted(files)


def test_the_cache_is_the_users_unless_the_environment_names_one(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("KWTA_CACHE")
    assert cache_folder().name == "kwta"


def test_importing_the_package_loads_no_heavy_library():
    heavy = {"torch", "sklearn", "scipy", "PIL", "pooch", "streamlit"}
    code = f"import sys, kwta; had = set(sys.modules); import kwta.datasets; print(*{heavy} & set(sys.modules) - had)"
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.split() == []
