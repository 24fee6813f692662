"""A person's own files: what they may look like, what they become, and what is said about those that do not fit."""

import hashlib
import io
import pickle
import struct
import tempfile
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kwta.datasets import CsvPoints, Data, Digits, ImageFolder, NpzFile, from_csv, from_npz, load, named
from kwta.datasets import image_folder as image_folder_module
from kwta.datasets.csv_points import classified, table
from kwta.datasets.data import origin
from kwta.datasets.specs import MAX_CLASSES


def together(data) -> list[tuple]:
    """(values..., class name) of all examples, sorted: what the file held, whatever the split."""
    pairs = [*zip(data.x_train, data.labels_train, strict=True), *zip(data.x_test, data.labels_test, strict=True)]
    return sorted((*x.ravel().tolist(), data.classes[label]) for x, label in pairs)


def csv_data(text: str, **options):
    return from_csv(text.encode(), "points.csv", **options)


# Text tables.

ROWS = [(0.0, 1.0, "a"), (1.0, 0.5, "a"), (0.25, -1.0, "b"), (-0.5, 0.0, "b")]
LAYOUTS = {
    "commas": "0,1,a\n1,0.5,a\n0.25,-1,b\n-0.5,0,b\n",
    "no last newline": "0,1,a\n1,0.5,a\n0.25,-1,b\n-0.5,0,b",
    "Windows lines": "0,1,a\r\n1,0.5,a\r\n0.25,-1,b\r\n-0.5,0,b\r\n",
    "a byte order mark": "\ufeff0,1,a\n1,0.5,a\n0.25,-1,b\n-0.5,0,b\n",
    "names": "x,y,colour\n0,1,a\n1,0.5,a\n0.25,-1,b\n-0.5,0,b\n",
    "names after the mark": "\ufeffx,y,label\n0,1,a\n1,0.5,a\n0.25,-1,b\n-0.5,0,b\n",
    "the label first": "Class,x1,x2\na,0,1\na,1,0.5\nb,0.25,-1\nb,-0.5,0\n",
    "the label between": "x1,target,x2\n0,a,1\n1,a,0.5\n0.25,b,-1\n-0.5,b,0\n",
    "semicolons and decimal commas": "x;y;label\n0;1;a\n1;0,5;a\n0,25;-1,0;b\n-0,5;0;b\n",
    "semicolons and two decimal commas first": "0,0;1,0;a\n1;0,5;a\n0,25;-1,0;b\n-0,5;0;b\n",
    "semicolons and decimal points": "0;1;a\n1;0.5;a\n0.25;-1.0;b\n-0.5;0;b\n",
    "tabs": "0\t1\ta\n1\t0.5\ta\n0.25\t-1\tb\n-0.5\t0\tb\n",
    "bars": "0|1|a\n1|0.5|a\n0.25|-1|b\n-0.5|0|b\n",
    "spaces": "  0 1 a\n1    0.5 a\n0.25 -1 b\n-0.5 0 b\n",
    "spaces after commas": "0, 1, a\n1, 0.5, a\n0.25, -1, b\n-0.5, 0, b\n",
    "quotes": '"x","y","label"\n"0","1","a"\n"1","0.5","a"\n"0.25","-1","b"\n"-0.5","0","b"\n',
    "empty lines and remarks": "# made by hand\n\n0,1,a\n1,0.5,a\n\n  # the others\n0.25,-1,b\n-0.5,0,b\n\n",
    "exponents": "0e0,1E0,a\n1,5e-1,a\n.25,-1.,b\n-5e-1,0,b\n",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_table_may_have(layout):
    assert together(csv_data(LAYOUTS[layout], scaled=False)) == sorted(ROWS)


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Z"), exclude_characters='#"'), min_size=1)
labels = words.filter(lambda word: word.lower() != "nan")


@given(st.lists(st.tuples(finite, finite, labels), min_size=1, max_size=30))
def test_every_table_written_by_the_csv_module_is_read_back(rows):
    import csv

    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    x, read = table(text.getvalue(), "points.csv")
    assert x.tolist() == [[a, b] for a, b, _ in rows]
    assert read == [label for _, _, label in rows]


@given(st.lists(labels, min_size=1, max_size=30))
def test_classes_are_the_distinct_labels_and_point_back_to_them(words):
    classes, indices = classified(words, "points.csv")
    assert [classes[index] for index in indices] == words
    assert len(set(classes)) == len(classes) == len(set(words))


def test_numbers_as_labels_are_ordered_as_numbers():
    assert classified(["10", "9", "-1", "9"], "points.csv")[0] == ("-1", "9", "10")
    assert classified(["10", "9", "b"], "points.csv")[0] == ("10", "9", "b")


def test_scaling_maps_each_coordinate_onto_the_box_and_keeps_ratios():
    data = csv_data("0,100,a\n5,100,a\n10,100,b\n2,100,b\n")
    assert data.box == (-1.0, 1.0)
    assert together(data) == sorted([(-1.0, 0.0, "a"), (0.0, 0.0, "a"), (1.0, 0.0, "b"), (np.float32(-0.6), 0.0, "b")])


def test_an_unscaled_set_has_its_range_as_box():
    assert csv_data("0,100,a\n5,7,a\n10,3,b\n2,-4,b\n", scaled=False).box == (-4.0, 100.0)
    assert csv_data("2,2,a\n2,2,a\n2,2,b\n2,2,b\n", scaled=False).box == (2.0, 4.0)
    assert csv_data("1e30,1e30,a\n1e30,1e30,a\n1e30,1e30,b\n1e30,1e30,b\n", scaled=False).box == (1e30, 2e30)


@given(st.lists(st.tuples(finite, finite), min_size=4, max_size=20), st.booleans())
def test_no_finite_point_falls_out_of_the_box(points, scaled):
    text = "".join(f"{a!r},{b!r},{'ab'[index % 2]}\n" for index, (a, b) in enumerate(points))
    data = csv_data(text, scaled=scaled)
    assert len(together(data)) == len(points)


def test_the_seed_decides_the_split():
    text = "".join(f"{index},{index % 7},{'ab'[index % 2]}\n" for index in range(100))
    same, again, other = csv_data(text, seed=1), csv_data(text, seed=1), csv_data(text, seed=2)
    assert same.x_test.tobytes() == again.x_test.tobytes() != other.x_test.tobytes()
    assert together(same) == together(other)
    assert np.bincount(same.labels_test).tolist() == [10, 10]


BAD_TABLES = {
    "nothing": ("", "points.csv is empty"),
    "only remarks": ("# x,y,label\n\n", "points.csv is empty"),
    "only names": ("x,y,label\n", "a line of names but no points"),
    "two fields": ("0,1\n1,0\n", "line 1: '0,1' is not three fields; two coordinates and a label"),
    "four fields": ("0,1,2,a\n", "line 1: '0,1,2,a' is not three fields"),
    "a short line": ("0,1,a\n\n0,1\n", "line 3: 2 fields in '0,1'; needed are two coordinates and a label"),
    "a long line": ("0,1,a\n0,1,b,c\n", "line 2: 4 fields"),
    "a word for a number": ("0,1,a\n0,one,b\n", "line 2: 'one' is not a finite number"),
    "a word in the first line": ("0,one,a\n0,1,b\n", "line 1: 'one' is not a finite number"),
    "NaN": ("x,y,label\n0,1,a\nnan,1,b\n", "line 3: 'nan' is not a finite number"),
    "infinity": ("0,1,a\n-inf,1,b\n", "line 2: '-inf' is not a finite number"),
    "what float32 cannot hold": ("0,1,a\n1e39,1,b\n", "line 2: '1e39' is not .*32-bit"),
    "a Python number": ("0,1,a\n1_0,1,b\n", "line 2: '1_0' is not a finite number"),
    "an empty coordinate": ("0,1,a\n,1,b\n", "line 2: '' is not a finite number"),
    "an empty label": ("0,1,a\n0,1,\n", "line 2: the label is ''; each point needs one"),
    "a missing label": ("0,1,a\n0,1,NaN\n", "line 2: the label is 'NaN'"),
    "an open quote": ('0,1,a\n0,1,"b\n', "line 2: unexpected end of data in"),
    "one class": ("0,1,a\n1,1,a\n", "points.csv: the only class is 'a'; learning needs at least two classes"),
    "one point a class": ("0,1,a\n1,1,b\n", "none of the 2 classes has two examples"),
    "measurements": (
        "".join(f"0,1,{n}\n" for n in range(101)),
        "points.csv has 101 classes; at most 100 can be told apart",
    ),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_table_is_refused_for(case):
    text, message = BAD_TABLES[case]
    with pytest.raises(ValueError, match=message):
        csv_data(text)


@pytest.mark.parametrize("content", ["0,1,ä\n".encode("latin-1"), "0,1,a\n".encode("utf-16"), b"\x89PNG\r\n\x1a\n\xff"])
def test_what_is_no_text_is_refused(content):
    with pytest.raises(ValueError, match=r"points.csv is not UTF-8 text \(byte \d+\)"):
        from_csv(content, "points.csv")


@given(st.binary(max_size=200))
def test_any_bytes_give_data_or_a_sentence(content):
    for reader, name in ((from_csv, "points.csv"), (from_npz, "arrays.npz")):
        try:
            said = origin(reader(content, name).spec)
        except ValueError as problem:
            said = str(problem)
        assert name in said


# Paths, uploads, digests.


def test_a_path_an_open_file_and_bytes_give_the_same_data(tmp_path):
    content = LAYOUTS["names"].encode()
    path = tmp_path / "points.csv"
    path.write_bytes(content)
    spec = CsvPoints(str(path), seed=3)
    digest = hashlib.sha256(content).hexdigest()
    by_path = load(spec)
    assert by_path.spec == spec
    with path.open("rb") as opened, tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(content)  # not rewound: uploads may have been read before
        for handed in (content, io.BytesIO(content), opened, spooled):
            uploaded = from_csv(handed, "points.csv", seed=3)
            assert uploaded.x_train.tobytes() == by_path.x_train.tobytes()
            assert uploaded.spec == CsvPoints("points.csv", 3, True, digest)


def test_uploads_of_one_name_have_specs_that_differ_with_their_content():
    one, other = (csv_data(LAYOUTS[layout]) for layout in ("commas", "tabs"))
    assert one.spec != other.spec


def test_a_digest_refuses_any_other_content(tmp_path):
    for name, kind, content in (("p.csv", CsvPoints, b"0,1,a\n0,1,b\n0,2,a\n"), ("a.npz", NpzFile, npz(x=X, labels=L))):
        path = tmp_path / name
        path.write_bytes(content)
        right = kind(str(path), digest=hashlib.sha256(content).hexdigest())
        assert load(right).spec == right
        with pytest.raises(ValueError, match=rf"{name} has SHA-256 .*, not 0000"):
            load(kind(str(path), digest="0" * 64))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for spec in (CsvPoints(str(tmp_path / "no.csv")), NpzFile(str(tmp_path / "no.npz")), NpzFile(str(tmp_path))):
        with pytest.raises(
            ValueError, match=r"cannot be read: (No such file or directory|Is a directory|Permission denied)"
        ):
            load(spec)
    with pytest.raises(ValueError, match=r"no is no folder; needed is one with a subfolder of images per class"):
        load(ImageFolder(str(tmp_path / "no")))


def test_text_streams_are_refused():
    with pytest.raises(ValueError, match=r"points\.csv must be open for reading bytes and able to seek, got StringIO"):
        from_csv(io.StringIO("0,1,a\n"), "points.csv")


def test_a_name_of_a_file_leads_to_its_data(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text(LAYOUTS["tabs"])
    assert together(load(named(str(path)))) == together(csv_data(LAYOUTS["commas"]))


# Arrays.

X = np.random.default_rng(0).uniform(-2, 3, (20, 4))
L = np.arange(20) % 2
IMAGE = np.random.default_rng(1).integers(0, 256, (20, 3, 5, 7), dtype=np.uint8)


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npz_data(**arrays):
    return from_npz(npz(**arrays), "arrays.npz")


def test_a_given_split_is_kept_in_order():
    data = npz_data(x_train=X[:12], labels_train=L[:12], x_test=X[12:], labels_test=L[12:])
    assert np.array_equal(data.x_train, X[:12].astype(np.float32))
    assert np.array_equal(data.x_test, X[12:].astype(np.float32))
    assert data.labels_test.tolist() == L[12:].tolist()
    assert data.classes == ("0", "1")
    assert data.box == (X.min(), X.max())


@pytest.mark.parametrize("name", ["labels", "y"])
def test_one_set_is_split_by_the_seed(name):
    data = npz_data(x=X, **{name: L})
    assert len(data.x_train) == 16
    assert together(data) == sorted((*x, str(label)) for x, label in zip(X.astype(np.float32).tolist(), L, strict=True))
    assert data.x_train.tobytes() != from_npz(npz(x=X, labels=L), "arrays.npz", seed=1).x_train.tobytes()


def test_labels_win_over_y_where_a_file_has_both():
    assert npz_data(x=X, y=L * 0, labels=L).n_classes == 2


def test_keras_names_and_compression_are_read():
    file = io.BytesIO()
    np.savez_compressed(file, x_train=IMAGE[:10, 0], y_train=L[:10], x_test=IMAGE[10:, 0], y_test=L[10:])
    data = from_npz(file, "mnist.npz")
    assert data.shape == (1, 5, 7)
    assert data.box == (0.0, 1.0)
    assert np.array_equal(data.x_train[:, 0], IMAGE[:10, 0].astype(np.float32) / 255)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array(["cat", "ant"] * 10), ("ant", "cat")),
        (np.array([3.0, 7.0] * 10), ("3", "7")),
        (np.array([True, False] * 10), ("False", "True")),
        (np.array([[5], [-1]] * 10), ("-1", "5")),
        (np.array([10, 9] * 10, dtype=np.uint8), ("9", "10")),
    ],
    ids=str,
)
def test_classes_are_the_labels_that_occur(labels, classes):
    data = npz_data(x=X, labels=labels)
    assert data.classes == classes
    assert together(data) == sorted(
        (*x, str(label))
        for x, label in zip(
            X.astype(np.float32).tolist(),
            labels.ravel().astype(int) if labels.dtype.kind == "f" else labels.ravel(),
            strict=True,
        )
    )


def test_classes_may_be_named_and_a_box_given():
    data = npz_data(x=X, labels=L, classes=np.array(["no", "yes", "never"]), box=np.array([-5, 5]))
    assert data.classes == ("no", "yes", "never")
    assert data.box == (-5.0, 5.0)
    assert together(data) == together(npz_data(x=X, labels=np.where(L, "yes", "no")))
    words = npz_data(x=X, labels=np.where(L, "yes", "no"), classes=np.array(["yes", "no"]))
    assert words.classes == ("yes", "no")
    assert together(words) == together(data)


def test_inputs_within_zero_and_one_have_that_box():
    assert npz_data(x=(X + 2) / 5, labels=L).box == (0.0, 1.0)


class Trap:
    """Unpickled, it would leave a trace."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


def raw_zip(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_npy", ".npy"), content)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def huge_npy(kind: bytes = b"<f8", shape: bytes = b"(1125899906842624,)") -> bytes:
    """A header that announces 2⁵⁰ numbers, and none of them."""
    header = b"{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


def holed() -> np.ndarray:
    x = X.copy()
    x[3, 1] = np.nan
    return x


BAD_ARRAYS = {
    "nothing": (
        b"",
        "arrays.npz is no NPZ file with a data set: it is damaged or was not written by numpy.savez; needed are",
    ),
    "text": (b"0,1,a\n" * 50, "damaged or was not written by numpy.savez"),
    "a bare array": (npz(x=X)[64:80], "damaged or was not written by numpy.savez"),
    "a cut file": (npz(x=X, labels=L)[:-30], "damaged or was not written by numpy.savez"),
    "damage inside": (npz(x=X, labels=L).replace(X.tobytes()[:64], bytes(64)), "Bad CRC-32"),
    "an empty archive": (
        raw_zip(),
        "it holds nothing; needed are x_train, labels_train, x_test, labels_test, or x and",
    ),
    "other names": (npz(a=X, b=L), "it holds a, b; needed are"),
    "half a split": (npz(x_train=X, labels_train=L, x_test=X), "needed are x_train, labels_train, x_test"),
    "a pickle": (raw_zip(x_npy=pickle.dumps(Trap()), labels_npy=b""), "its x is not an array"),
    "an array of objects": (npz(x=X, labels=np.array([Trap()] * 20, dtype=object)), "allow_pickle=False"),
    "a member that is no array": (raw_zip(x=b"raw", labels=b"raw"), "its x is not an array"),
    "a huge announcement": (raw_zip(x_npy=huge_npy(), labels_npy=b""), "arrays.npz is no NPZ file with a data set"),
    "a nonsense header": (raw_zip(x_npy=b"\x93NUMPY\x01\x00\x04\x00{{{\n", labels_npy=b""), "is no NPZ file"),
    "NaN": (npz(x=holed(), labels=L), r"arrays.npz: x\[3, 1\] is nan"),
    "NaN in the test": (npz(x_train=X, labels_train=L, x_test=holed(), labels_test=L), r"x_test\[3, 1\] is nan"),
    "words as inputs": (npz(x=np.array([["a"]] * 20), labels=L), "real numbers are needed"),
    "complex inputs": (npz(x=X + 1j, labels=L), "complex128 values; real numbers are needed"),
    "one number each": (
        npz(x=X[:, 0], labels=L),
        r"x has shape \(20,\); needed is \[n, d\], \[n, H, W\] or \[n, C, H, W\]",
    ),
    "no examples": (npz(x=X[:0], labels=L), r"x has shape \(0, 4\)"),
    "channels last": (npz(x=IMAGE.transpose(0, 2, 3, 1), labels=L), r"channels last; .*x.transpose\(0, 3, 1, 2\)"),
    "too few labels": (npz(x=X, labels=L[:-1]), "there are 20 examples but 19 labels"),
    "too few in the test": (
        npz(x_train=X, labels_train=L, x_test=X, labels_test=L[:3]),
        "x_test has 20 .* labels_test has 3",
    ),
    "no labels": (npz(x=X, labels=L[:0]), r"labels has shape \(0,\)"),
    "one-hot labels": (npz(x=X, labels=np.eye(2)[L]), r"labels has shape \(20, 2\); needed is one label for each"),
    "fractions as labels": (
        npz(x=X, labels=L / 3),
        "labels holds float64 values, .*0.0.* first; labels are whole numbers",
    ),
    "NaN as a label": (npz(x=X, labels=np.where(L, np.nan, 0)), "labels holds float64 values"),
    "dates as labels": (npz(x=X, labels=L.astype("datetime64[D]")), r"labels holds datetime64\[D\] values"),
    "two kinds of labels": (
        npz(x_train=X, labels_train=L, x_test=X, labels_test=L.astype(str)),
        "must be numbers or both words",
    ),
    "one class": (npz(x=X, labels=L * 0), "the only class is '0'; learning needs at least two"),
    "one class in training": (
        npz(x_train=X, labels_train=L * 0, x_test=X, labels_test=L),
        "every training label is '0'",
    ),
    "a label without name": (
        npz(x=X, labels=L + 1, classes=np.array(["a", "b"])),
        r"labels\[1\] is 2; labels must lie in 0\.\.1",
    ),
    "a word without name": (
        npz(x=X, labels=L.astype(str), classes=np.array(["0", "b"])),
        "the label '1' is none of the classes 0, b",
    ),
    "names in a table": (npz(x=X, labels=L, classes=np.array([["a", "b"]])), r"classes has shape \(1, 2\)"),
    "half a box": (npz(x=X, labels=L, box=np.array([1.0])), r"box is float64 of shape \(1,\); needed are two numbers"),
    "a box in words": (npz(x=X, labels=L, box=np.array(["a", "b"])), "box is <U1"),
    "a box too small": (npz(x=X, labels=L, box=np.array([0.0, 1.0])), r"outside the data box \[0.0, 1.0\]"),
    "different shapes": (npz(x_train=X, labels_train=L, x_test=X[:, :2], labels_test=L), r"shape \(4,\), test \(2,\)"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_arrays_are_refused_for(case):
    content, message = BAD_ARRAYS[case]
    with pytest.raises(ValueError, match=message) as caught:
        from_npz(content, "arrays.npz")
    assert "arrays.npz" in str(caught.value)


def test_a_file_that_unpacks_too_far_is_refused_unread():
    with pytest.raises(ValueError, match=r"it unpacks to 1,\d+ bytes, and at most 500 are read"):
        from_npz(npz(x=X, labels=L), "arrays.npz", max_bytes=500)


def test_what_is_not_asked_for_does_not_count():
    content = npz(x=X, labels=L, more=np.zeros(10**5))
    assert from_npz(content, "arrays.npz", max_bytes=2000).shape == (4,)


def test_bytes_count_as_the_floats_that_they_become():
    n_bytes = 4 * IMAGE.size + L.nbytes
    content = npz(x=IMAGE, labels=L)
    assert from_npz(content, "arrays.npz", max_bytes=n_bytes).shape == (3, 5, 7)
    with pytest.raises(ValueError, match=f"it unpacks to {n_bytes:,} bytes, and at most {n_bytes - 1:,} are read"):
        from_npz(content, "arrays.npz", max_bytes=n_bytes - 1)


BOMBS = {
    "zeros that pack well": (zipfile.ZIP_DEFLATED, npy(np.zeros((1 << 26, 1), dtype=np.uint8)), "unpacks to"),
    "a header alone": (zipfile.ZIP_STORED, huge_npy(), "unpacks to"),
    "a shape below zero": (zipfile.ZIP_STORED, huge_npy(shape=b"(-1, 8)"), r"its x has the shape \(-1, 8\)"),
    "words without letters": (zipfile.ZIP_STORED, huge_npy(b"<U0"), "unpacks to"),
    "a header of gigabytes": (
        zipfile.ZIP_DEFLATED,
        b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**31) + b" " * 2**27,
        "unpacks to",
    ),
    "another method": (zipfile.ZIP_LZMA, npy(X), "compressed in a way that"),
    "another version": (zipfile.ZIP_STORED, b"\x93NUMPY\x03\x00" + huge_npy()[8:], r"version 3\.0 of the npy format"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_before_it_takes_memory(bomb):
    method, member, message = BOMBS[bomb]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("x.npy", member)
        archive.writestr("labels.npy", npy(L))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            from_npz(file.getvalue(), "arrays.npz", max_bytes=1 << 26)
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("names", [{}, {"classes": np.arange(101).astype(str)}])
@pytest.mark.parametrize("kind", [np.int64, np.str_])
def test_more_than_a_hundred_classes_of_arrays_are_refused(names, kind):
    for n, told in ((101, "arrays.npz has 101 classes; at most 100 can be told apart"), (100, None)):
        labels = np.arange(2 * n) % n
        content = npz(x=labels[:, None], labels=labels.astype(kind), **{k: v[:n] for k, v in names.items()})
        if told is None:
            assert from_npz(content, "arrays.npz").n_classes == 100
            continue
        with pytest.raises(ValueError, match=told):
            from_npz(content, "arrays.npz")


def test_no_data_have_classes_that_a_byte_cannot_name():
    assert MAX_CLASSES <= 100
    x, labels = np.zeros((300, 1)), np.arange(300)
    with pytest.raises(ValueError, match="has 300 classes; at most 100"):
        Data(Digits(), x, labels, x, labels, tuple(map(str, labels)), (0.0, 1.0))


# Image folders.


def picture(colour, size=(6, 4), mode="RGB"):
    return Image.new(mode, size, colour)


@pytest.fixture
def folder(tmp_path):
    """Ten red and ten blue images of 4×6 pixels, with what else lies about in folders."""
    for name, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        (tmp_path / name).mkdir()
        for number in range(10):
            picture(colour).save(tmp_path / name / f"{number}.{'png' if number % 2 else 'bmp'}")
        (tmp_path / name / "notes.txt").write_text("not an image")
        (tmp_path / name / ".hidden.png").write_bytes(b"not an image either")
    (tmp_path / ".git").mkdir()
    (tmp_path / "readme.png").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize("parts", [("",), ("train", "test")])
def test_more_than_a_hundred_subfolders_are_refused_before_images_are_read(tmp_path, parts):
    for number in range(101):
        for part in parts:
            (tmp_path / part / f"{number}").mkdir(parents=True)
            (tmp_path / part / f"{number}" / "broken.png").write_bytes(b"")
    with pytest.raises(ValueError, match=f"{tmp_path.name} has 101 classes; at most 100 can be told apart"):
        load(ImageFolder(str(tmp_path)))


def test_subfolders_are_classes_and_files_are_their_images(folder):
    data = load(ImageFolder(str(folder), size=(4, 6)))
    assert data.classes == ("blue", "red")
    assert data.x_train.shape == (16, 3, 4, 6)
    assert data.x_test.shape == (4, 3, 4, 6)
    assert data.box == (0.0, 1.0)
    for x, label in zip(data.x_train, data.labels_train, strict=True):
        assert np.array_equal(x, np.broadcast_to(np.array([[0, 0, 1], [1, 0, 0]][label])[:, None, None], (3, 4, 6)))


def test_grey_images_have_one_channel_with_the_luma_of_their_colours(folder):
    data = load(ImageFolder(str(folder), size=(2, 3), grey=True))
    assert data.shape == (1, 2, 3)
    # ITU-R 601: 0.299 red, 0.114 blue, in steps of 1/255.
    assert data.x_train.max() == pytest.approx(0.299, abs=1 / 255)
    assert data.x_train.min() == pytest.approx(0.114, abs=1 / 255)


def test_folders_named_train_and_test_are_the_split(tmp_path, folder):
    top = tmp_path / "top"
    for part in ("train", "test"):
        (top / part).mkdir(parents=True)
        for name in ("red", "blue"):
            (folder / name).rename(top / part / name) if part == "train" else (top / part / name).mkdir()
    picture((255, 0, 0)).save(top / "test" / "red" / "only.png")
    data = load(ImageFolder(str(top), size=(4, 6)))
    assert len(data.x_train) == 20
    assert [data.classes[label] for label in data.labels_test] == ["red"]


def test_height_comes_before_width_and_rows_before_columns(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        image = picture((0, 0, 0), (3, 2))  # Pillow's order: width 3, height 2
        image.putpixel((2, 0), (255, 128, 64))  # column 2, row 0
        for number in range(2):
            image.save(tmp_path / name / f"{number}.png")
    x = load(ImageFolder(str(tmp_path), size=(2, 3))).x_train[0]
    assert x.shape == (3, 2, 3)
    assert np.array_equal(x[:, 0, 2], np.array([255, 128, 64], dtype=np.float32) / 255)
    assert x.sum() == pytest.approx((255 + 128 + 64) / 255)


def sole(tmp_path, image, name="0.png", **spec):
    """The one image, brought through a folder."""
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(2):
            image.save(tmp_path / label / f"{number}{name}", **spec)
    return load(ImageFolder(str(tmp_path), size=(image.height, image.width))).x_train[0]


def test_transparent_pixels_are_white(tmp_path):
    image = picture((0, 0, 0, 0), (2, 1), "RGBA")
    image.putpixel((1, 0), (255, 0, 0, 255))
    assert np.array_equal(sole(tmp_path, image)[:, 0], np.array([[1, 1], [1, 0], [1, 0]]))


def test_sixteen_bit_grey_keeps_its_shades(tmp_path):
    image = Image.fromarray(np.array([[0, 0x8080, 0xFFFF]], dtype=np.uint16))
    assert np.array_equal(sole(tmp_path, image)[0, 0], np.array([0, 128, 255], dtype=np.float32) / 255)


def test_a_photo_is_turned_as_its_camera_noted(tmp_path):
    image = picture((255, 255, 255), (16, 8))
    image.paste((0, 0, 0), (0, 0, 8, 8))  # black left half
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by half
    x = sole(tmp_path, image, "0.jpg", exif=exif, quality=95)
    assert x[:, :, :8].min() > 0.9  # and so it is on the right
    assert x[:, :, 8:].max() < 0.1


def test_an_image_that_cannot_be_read_is_named(folder):
    file = io.BytesIO()
    Image.fromarray(IMAGE[0].transpose(1, 2, 0)).save(file, "png")
    whole = file.getvalue()
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in (
            (b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)),
            (b"IDAT", b""),
            (b"IEND", b""),
        )
    )
    for content, reason in (
        (b"", "cannot identify"),
        (b"junk", "cannot identify"),
        (whole[:-40], "truncated"),
        (bomb, "exceeds limit"),
    ):
        (folder / "red" / "1.png").write_bytes(content)
        with pytest.raises(ValueError, match=rf"red/1\.png cannot be read as an image: .*{reason}"):
            load(ImageFolder(str(folder)))


def test_pixels_of_unknown_range_are_refused(tmp_path):
    image = Image.fromarray(np.zeros((2, 2), dtype=np.float32))
    with pytest.raises(ValueError, match=r"0\.tif cannot be read as an image: its pixels are floats"):
        sole(tmp_path, image, ".tif")


def test_folders_without_classes_or_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has no images in subfolders; needed is one subfolder per class"):
        load(ImageFolder(str(tmp_path)))
    (tmp_path / "only").mkdir()
    picture(0).save(tmp_path / "only" / "0.png")
    with pytest.raises(ValueError, match="the only class is 'only'; learning needs at least two"):
        load(ImageFolder(str(tmp_path)))


def test_a_test_class_unknown_in_training_is_refused(tmp_path):
    for place in ("train/a", "train/b", "test/c"):
        (tmp_path / place).mkdir(parents=True)
        picture(0).save(tmp_path / place / "0.png")
    with pytest.raises(ValueError, match="test has the class 'c' that train has not; classes are a, b"):
        load(ImageFolder(str(tmp_path)))


def test_more_pixels_than_fit_are_refused_unread(folder, monkeypatch):
    monkeypatch.setattr(image_folder_module, "MAX_VALUES", 1000)
    with pytest.raises(ValueError, match="20 images of 4×6 pixels, 3 channels, are 1,440 values; at most 1,000 fit"):
        load(ImageFolder(str(folder), size=(4, 6)))
