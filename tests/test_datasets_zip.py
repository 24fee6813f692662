"""ZIP files of images: read in memory as the folder they hold would be, bounded, and refused with the reason."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from kwta.datasets import ImageFolder, ImageZip, from_record, from_zip, image_zip, load, named


def picture(value: int, size: tuple[int, int] = (6, 4), mode: str = "L") -> bytes:
    """A PNG of one value; `size` is (width, height)."""
    file = io.BytesIO()
    Image.new(mode, size, value if mode == "L" else (value, 0, 0)).save(file, "PNG")
    return file.getvalue()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


def good(top: str = "", **more) -> dict[str, bytes]:
    return {f"{top}{name}/{i}.png": picture(40 * i + 9, **more) for name in ("cat", "dog") for i in range(5)}


@pytest.mark.parametrize("top", ["", "pets/", "a/b/pets/"])
def test_folders_are_classes_whatever_lies_above_them(top):
    litter = {"__MACOSX/cat/._1.png": b"x", f"{top}cat/.hidden.png": b"x", f"{top}cat/notes.txt": b"x"}
    data = from_zip(zipped(good(top) | litter), "pets.zip")
    assert data.classes == ("cat", "dog")
    assert data.shape == (1, 4, 6)
    assert (len(data.x_train), len(data.x_test)) == (8, 2)


def test_a_zip_is_read_as_the_folder_that_it_holds(tmp_path):
    packed = zipped(good(mode="RGB"))
    zipfile.ZipFile(io.BytesIO(packed)).extractall(tmp_path / "folder")
    (tmp_path / "pets.zip").write_bytes(packed)
    a, b = load(ImageFolder(str(tmp_path / "folder"), (8, 8))), load(ImageZip(str(tmp_path / "pets.zip"), (8, 8)))
    for part in ("x_train", "labels_train", "x_test", "labels_test"):
        assert np.array_equal(getattr(a, part), getattr(b, part))


def test_an_upload_is_what_its_spec_loads_and_no_other_file_is(tmp_path):
    path = tmp_path / "pets.zip"
    path.write_bytes(zipped(good()))
    data = from_zip(path.read_bytes(), str(path))
    assert from_record({**vars(data.spec)}) == data.spec
    assert np.array_equal(load(data.spec).x_train, data.x_train)
    path.write_bytes(zipped(good(mode="RGB")))
    with pytest.raises(ValueError, match="it is not the file that this data set was made from"):
        load(data.spec)
    assert named(str(path)) == ImageZip(str(path))


def test_train_and_test_are_the_split():
    files = {f"set/{part}/{name}/{i}.png": picture(i) for part in ("train", "test") for name in "ab" for i in range(3)}
    data = from_zip(zipped(files), "set.zip")
    assert (len(data.x_train), len(data.x_test), data.classes) == (6, 6, ("a", "b"))
    with pytest.raises(ValueError, match="test has the class 'c' that train has not; classes are a, b"):
        from_zip(zipped(files | {"set/test/c/0.png": picture(0)}), "set.zip")


@pytest.mark.parametrize(
    ("sizes", "mode", "shape"),
    [
        ([(6, 4)], "L", (1, 4, 6)),
        ([(6, 4)], "RGB", (3, 4, 6)),
        ([(6, 4), (5, 4)], "L", (1, 32, 32)),
        ([(65, 4)], "L", (1, 32, 32)),
        ([(64, 64)], "L", (1, 64, 64)),
    ],
)
def test_small_images_of_one_size_keep_it_and_grey_ones_one_channel(sizes, mode, shape):
    files = {f"{name}/{i}.png": picture(i, sizes[i % len(sizes)], mode) for name in ("cat", "dog") for i in range(4)}
    assert from_zip(zipped(files), "a.zip").shape == shape


def test_names_that_lead_elsewhere_are_only_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {f"../../{name}/{i}.png": picture(i) for name in ("cat", "dog") for i in range(3)}
    with pytest.raises(ValueError, match=r"slip\.zip has no images in folders"):
        from_zip(zipped(files), "slip.zip")  # what starts with a dot is hidden
    absolute = {f"/etc\\{name}\\{i}.png": picture(i) for name in ("cat", "dog") for i in range(3)}
    assert from_zip(zipped(absolute), "slip.zip").classes == ("cat", "dog")
    assert list(tmp_path.iterdir()) == []


def encrypted() -> bytes:
    content = bytearray(zipped(good()))
    place = content.find(b"PK\x01\x02")
    while place >= 0:
        content[place + 8] |= 1
        place = content.find(b"PK\x01\x02", place + 1)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is damaged or no ZIP file"),
        (b"PK not really", "is damaged or no ZIP file"),
        (zipped(good())[:-30], "is damaged or no ZIP file"),
        (zipped({}), "has no images in folders; needed is one folder per class"),
        (zipped({"a.png": picture(0)}), "has no images in folders"),
        (zipped(good() | {"a/b/c.png": picture(0)}), "images at 2 different depths"),
        (zipped({"x/a/1.png": picture(0), "y/b/1.png": picture(0)}), "folders of classes in several folders"),
        (
            zipped(good() | {"cat/9.png": b"junk"}),
            r"cat/9\.png cannot be read as an image: cannot identify image file$",
        ),
        (zipped({f"cat/{i}.png": picture(i) for i in range(4)}), "the only class is 'cat'"),
        (zipped(good(), zipfile.ZIP_BZIP2), "is packed in an unusual way"),
        (zipped({f"{i}/1.png": b"" for i in range(101)}), "has 101 classes; at most 100"),
        (encrypted(), r"cat/0\.png is encrypted"),
    ],
)
def test_a_bad_file_is_refused_with_its_name_and_the_reason(content, said):
    with pytest.raises(ValueError, match=said) as error:
        from_zip(content, "pets.zip")
    assert str(error.value).startswith("pets.zip")


def test_what_is_too_large_is_refused_before_it_is_decoded(monkeypatch):
    with pytest.raises(ValueError, match="10 images of 4×6 pixels take 960 bytes; at most 900 are read"):
        from_zip(zipped(good()), "pets.zip", max_bytes=900)
    bomb = picture(0, (5000, 4000))
    assert len(bomb) < 2**17
    with pytest.raises(ValueError, match=r"0\.png has 5000×4000 pixels; at most 16,777,216 in an image"):
        from_zip(zipped({"a/0.png": bomb, "b/0.png": bomb}), "pets.zip")
    monkeypatch.setattr(image_zip, "MAX_FILE_BYTES", 10)
    with pytest.raises(ValueError, match=r"cat/0\.png unpacks to more than 10 bytes"):
        from_zip(zipped(good()), "pets.zip")
    monkeypatch.setattr(image_zip, "MAX_IMAGES", 5)
    with pytest.raises(ValueError, match="has 10 images; at most 5 can be read"):
        from_zip(zipped(good()), "pets.zip")
