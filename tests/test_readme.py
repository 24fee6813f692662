"""What the documentation says is true: its code prints what stands beside it, its paths and commands exist."""

import contextlib
import doctest
import importlib
import importlib.util
import io
import re
import textwrap
import types

import numpy as np
import pytest
import readme
import torch
from source_rules import ROOT, modules

README = ROOT / "README.md"
DOCUMENTS = [README, *sorted(ROOT.glob("CONTRIBUTING.md")), *sorted((ROOT / "docs").rglob("*.md"))]

# `...` in a promised output stands for anything; a difference in blanks at the end of a line is none.
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def text_of(document) -> str:
    return document.read_text(encoding="utf-8") if document.is_file() else ""


def printed(code: str, names: dict, line: int = 1) -> str:
    """What the code prints; line numbers of errors are those of the document."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile("\n" * (line - 1) + code, "README.md", "exec"), names)
    return out.getvalue()


def failures(test: doctest.DocTest) -> str:
    """The report of a doctest, empty if all its examples print what they promise."""
    report = io.StringIO()
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=report.write)
    return report.getvalue()


def differences(markdown: str) -> list[str]:
    """Run the Python blocks of a document in one namespace; say which do not print what they promise."""
    names: dict = {"__name__": "__main__"}
    wrong = []
    for block, promised in readme.examples(markdown):
        if block.text.lstrip().startswith(">>>"):
            test = doctest.DocTestParser().get_doctest(block.text, names, "README.md", "README.md", block.line - 1)
            test.globs = names  # one namespace for all blocks, as a reader has it
            report = io.StringIO()
            doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=report.write, clear_globs=False)
            wrong += [report.getvalue()] if report.getvalue() else []
            continue
        got = printed(block.text, names, block.line)
        if promised is None and got:
            wrong.append(f"line {block.line} prints, but no ```text block says what:\n{got}")
        elif promised is not None and not doctest.OutputChecker().check_output(promised, got, FLAGS):
            wrong.append(f"line {block.line} promises:\n{promised}\nand prints:\n{got}")
    return wrong


def test_there_is_a_readme_with_code_and_both_commands():
    markdown = text_of(README)
    assert readme.examples(markdown)
    assert {"run", "test"} <= readme.make_targets(markdown)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_the_code_in_a_document_prints_what_stands_beside_it(document, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # what an example saves, it saves here
    assert differences(text_of(document)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_every_path_a_document_names_exists(document):
    named = readme.paths(text_of(document), ROOT)
    assert [path for path in sorted(named) if not ((document.parent / path).exists() or (ROOT / path).exists())] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: d.name)
def test_every_command_a_document_names_exists(document):
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert readme.make_targets(text_of(document)) <= targets
    assert [name for name in readme.own_modules(text_of(document)) if importlib.util.find_spec(name) is None] == []


# Docstrings.

WITH_EXAMPLES = [m.name for m in modules("kwta", "app") if re.search(r"^\s*>>> ", m.text, re.MULTILINE)]


PARTS = sorted({m.name for m in modules("kwta") if m.is_package and m.name.count(".") == 1})


def visible(module: types.ModuleType) -> dict:
    """What examples of a module may use as if imported: torch, np, the parts of kwta, and their public names.

    Where two parts have one name, a module sees its own part's.
    """
    for name in WITH_EXAMPLES:
        importlib.import_module(name)  # so that `regions.plane` is there, whatever has run before
    own = ".".join(module.__name__.split(".")[:2])
    names: dict = {"torch": torch, "np": np} | {part.split(".")[1]: importlib.import_module(part) for part in PARTS}
    for part in sorted(PARTS, key=lambda part: part == own):
        package = importlib.import_module(part)
        names |= {name: getattr(package, name) for name in getattr(package, "__all__", ())}
    return names | vars(module)


def docstring_failures(module: types.ModuleType) -> list[str]:
    """Reports on the examples in a module's docstrings."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = finder.find(module, globs=visible(module))
    return [report for report in map(failures, tests) if report]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_in_docstrings_print_what_they_promise(name):
    assert docstring_failures(importlib.import_module(name)) == []


def test_the_operator_has_examples_and_they_are_found():
    assert {"kwta.activation.operator", "kwta.activation.count", "kwta.activation.module"} <= set(WITH_EXAMPLES)
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in WITH_EXAMPLES:
        found = finder.find(importlib.import_module(name))
        assert any(test.examples for test in found), f"{name} has examples where doctest does not look"


# Negative controls.

GOOD = """
# A title

```python
x = 2
print(x + 1)
```

```text
3
```

```py
print("from", x, "to", 1 / 3)
```
```text
from 2 to 0.333...
```

```python
>>> x * 21
42
```

```python
x = 5  # prints nothing
```

```sh
make run && PYTHON=python3.12 make test
python -m kwta --help
```
"""


def test_good_code_has_no_differences():
    assert differences(GOOD) == []


@pytest.mark.parametrize(
    ("good", "bad", "told"),
    [
        ("\n3\n", "\n4\n", "promises:\n4"),
        ("0.333...", "0.334...", "prints:\nfrom 2 to 0.333"),
        ("\n42\n", "\n43\n", "Got:\n    42"),
        ("x = 5  # prints nothing", "print(x)", "no ```text block says what:\n2"),
    ],
)
def test_a_wrong_promise_is_found(good, bad, told):
    assert good in GOOD
    wrong = differences(GOOD.replace(good, bad))
    assert len(wrong) == 1
    assert told in wrong[0]


def test_an_error_in_a_block_names_its_line():
    with pytest.raises(ZeroDivisionError) as caught:
        differences(GOOD.replace("print(x + 1)", "print(x / 0)"))
    assert caught.traceback[-1].lineno + 1 == 1 + GOOD.splitlines().index("print(x + 1)")


def test_paths_and_commands_are_found_in_the_text():
    markdown = textwrap.dedent("""
        See [the guide](docs/guide.md#part), ![picture](docs/none.png "title"), <img src="docs/x.svg"> and
        `kwta/slices/`, `kwta/none.py`, `gone.toml`, `batch/time`, `made.json`, `.venv/bin/none`, `y.T`,
        [elsewhere](https://example.org/a.png), [below](#part).
        Type `make bench` or `VENV=x make check`.

        ```sh
        make run && PYTHON=python3.12 make test
        python -m kwta.nothing --help
        ```
        """)
    assert readme.paths(markdown, ROOT) == {
        "docs/guide.md",
        "docs/none.png",
        "docs/x.svg",
        "kwta/slices/",
        "kwta/none.py",
        "gone.toml",
    }
    assert readme.make_targets(markdown) == {"bench", "check", "run", "test"}
    assert list(readme.own_modules(markdown)) == ["kwta.nothing"]


def test_a_wrong_example_in_a_docstring_is_found():
    module = types.ModuleType("example")
    module.__doc__ = ">>> torch.ones(1)\ntensor([2.])\n"
    assert "Got:\n    tensor([1.])" in docstring_failures(module)[0]
