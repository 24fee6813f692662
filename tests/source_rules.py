"""Rules about source text, each a function from a parsed module to the sentences that say where it is broken."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES = 400
# A kernel may need more: it cannot pass what it shares through objects.
MOST_KERNEL_LINES = 600


@dataclass(frozen=True)
class Module:
    """A module of this repository: its dotted name, its text, and whether it is a package's __init__."""

    name: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


def modules(*packages: str) -> list[Module]:
    """All modules of these packages, read from the disk and not imported."""
    files = [file for package in packages for file in sorted((ROOT / package).rglob("*.py"))]
    return [_module(file) for file in files]


def _module(file: Path) -> Module:
    parts = file.relative_to(ROOT).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    return Module(".".join(parts[:-1] if is_package else parts), file.read_text(encoding="utf-8"), is_package)


def is_within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


# Imports.


def _is_for_types(node: ast.AST) -> bool:
    """`if TYPE_CHECKING:`, whose body never runs."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes that may run: everything but what is there for type checkers."""
    for child in ast.iter_child_nodes(node):
        if not _is_for_types(child):
            yield child
            yield from _running(child)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    base = module.name.split(".") if module.is_package else module.name.split(".")[:-1]
    base = base[: len(base) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """The dotted names that a module imports anywhere, also inside functions, each with its line.

    `from a import b` counts as a.b, for b may be a module.
    """
    for node in _running(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "__import__",
            "importlib.import_module",
            "import_module",
        ):
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value, node.lineno


def forbidden_imports(module: Module, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{module.name}:{line} imports {name}"
        for name, line in imports(module)
        if any(is_within(name, package) for package in forbidden)
    ]


# Habits.

# Names that say nothing about what is inside.
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"}


def empty_names(module: Module) -> list[str]:
    words = {word for part in module.name.split(".") for word in part.split("_")}
    return [f"{module.name} is named {word!r}, which says nothing" for word in sorted(words & EMPTY_WORDS)]


def empty_prefixes(module: Module) -> list[str]:
    """Functions that compute are named by what they return."""
    return [
        f"{module.name}:{node.lineno} names a function {node.name}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and re.match(r"_*(get|compute)_", node.name)
    ]


def swallowed_errors(module: Module) -> list[str]:
    """No bare except, and no except that takes everything and says nothing."""
    return [
        f"{module.name}:{node.lineno} swallows every error"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and (node.type is None or (_takes_all(node) and _is_silent(node)))
    ]


def _takes_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds if kind)


def _is_silent(handler: ast.ExceptHandler) -> bool:
    return all(
        isinstance(s, ast.Pass | ast.Continue) or ast.unparse(s) in ("...", "return None", "return")
        for s in handler.body
    )


# Draws and seeds of a generator that all threads share.
GLOBAL_RANDOMNESS = re.compile(
    r"torch\.((random|cuda|mps)\.)?(manual_seed(_all)?|seed(_all)?|set_rng_state)"
    r"|(np|numpy)\.random\.(?!Generator\b|default_rng\b|SeedSequence\b|PCG64\b|Philox\b|BitGenerator\b)\w+"
    r"|random\.(seed|random|randint|randrange|choice|choices|shuffle|sample|uniform|gauss|normalvariate)"
)


def global_randomness(module: Module) -> list[str]:
    """Randomness is an argument: nothing seeds or draws from a generator that all threads share."""
    names = [(ast.unparse(n), n.lineno) for n in ast.walk(module.tree) if isinstance(n, ast.Attribute)]
    names += [(name, line) for name, line in imports(module)]
    return [f"{module.name}:{line} uses {name}" for name, line in names if GLOBAL_RANDOMNESS.fullmatch(name)]


PICKLES = ("pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal")


def pickles(module: Module) -> list[str]:
    """Nothing that runs code when it reads a file."""
    calls = [n for n in ast.walk(module.tree) if isinstance(n, ast.Call)]
    unsafe = [n for n in calls if ast.unparse(n.func) in ("torch.load", "torch.save")]
    unsafe += [n for n in calls for k in n.keywords if k.arg == "allow_pickle" and ast.unparse(k.value) != "False"]
    return forbidden_imports(module, PICKLES) + [
        f"{module.name}:{n.lineno} calls {ast.unparse(n.func)}" for n in unsafe
    ]


def is_kernel(module: Module) -> bool:
    """Whether it compiles functions with Numba."""
    return any(is_within(name, "numba") for name, _ in imports(module))


def long_modules(module: Module) -> list[str]:
    lines, most = len(module.text.splitlines()), MOST_KERNEL_LINES if is_kernel(module) else MOST_LINES
    return [f"{module.name} has {lines} lines, more than {most}"] if lines > most else []


def variables(module: Module) -> list[str]:
    """What a module names at its top is a constant, a type or a function; `global` is how it would change one."""
    return [
        f"{module.name}:{node.lineno} changes {', '.join(node.names)}, which all threads share"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Global)
    ] + [
        f"{module.name}:{node.lineno} keeps {target.id} at the top of the module; a constant is written in capitals"
        for node in module.tree.body
        for target in _targets(node)
        if isinstance(target, ast.Name) and not CONSTANT.fullmatch(target.id)
    ]


# CONSTANT, TypeName, __dunder__.
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*|_?[A-Z][A-Za-z0-9]*|__\w+__")


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return [t for target in node.targets for t in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []


# Caches of results, which are Streamlit's; functools.cache around a file of the repository keeps no results.

CACHES = ("st.cache_data", "st.cache_resource", "streamlit.cache_data", "streamlit.cache_resource")


def _cache_uses(module: Module) -> list[ast.Attribute]:
    return [n for n in ast.walk(module.tree) if isinstance(n, ast.Attribute) and ast.unparse(n) in CACHES]


def caches(module: Module) -> list[str]:
    uses = [f"{module.name}:{n.lineno} caches with {ast.unparse(n)}" for n in _cache_uses(module)]
    return uses + forbidden_imports(module, CACHES)


def boundless_caches(module: Module) -> list[str]:
    """Every cache of Streamlit's has max_entries."""
    calls = [n for n in ast.walk(module.tree) if isinstance(n, ast.Call)]
    bounded = [call.func for call in calls if any(k.arg == "max_entries" for k in call.keywords)]
    loose = [f"{module.name}:{n.lineno} caches without max_entries" for n in _cache_uses(module) if n not in bounded]
    return loose + forbidden_imports(module, CACHES)  # by another name nobody sees what is bounded
