"""The rules of the house that a program can check: which way imports run, and how long a function or a room may be.

Only the source is read, nothing is imported. Imports inside functions and under TYPE_CHECKING count too. The names in
a registry, such as "models.pix2pix:Pix2PixModel", do not: a package's face is loaded before any of them is looked up.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.helpers import ROOT

PACKAGES = ("benchmarks", "data", "models", "options", "util")
SCRIPTS = ("train", "test", "segment", "forgetting", "hubconf")
TESTS = ROOT / "tests"
MAY_IMPORT = {
    "util": {"util"},
    "data": {"data", "util"},
    "models": {"models", "util"},
    "options": {"options", "data", "models", "util"},
}
"""Imports run one way. Scripts, benchmarks and a room's __main__.py may import everything, and nothing imports them."""
HEAVY = ("torch", "torchvision", "kornia", "monai", "segmentation_models_pytorch", "matplotlib", "pydicom", "highdicom")
LONGEST_FUNCTION = 40
MOST_FILES = {"": 13, "benchmarks": 15, "data": 15, "data/prepare": 16, "util": 9, "util/run": 14}
"""How many files a room may hold beside __init__.py and __main__.py: about a dozen. benchmarks has one for each subject
that is measured, data one for each dataset mode and each step of reading, data/prepare one for each data set. util's
own files are those that fit none of its rooms."""


def program() -> list[Path]:
    scripts = [ROOT / f"{name}.py" for name in SCRIPTS]
    return [path for path in scripts if path.exists()] + [
        path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
    ]


def module_of(path: Path) -> str:
    """data/read/jpeg.py -> data.read.jpeg, data/__init__.py -> data"""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in program()}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imported_names(path: Path, nodes: Iterator[ast.AST]) -> Iterator[str]:
    """The dotted names that import statements mention; `from a import b` gives a.b, which need not be a module."""
    here = path.relative_to(ROOT).with_suffix("").parts
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*here[: -node.level], node.module or ""]) if node.level else node.module or ""
            yield from (f"{base.strip('.')}.{alias.name}" for alias in node.names)


def imports(path: Path) -> set[str]:
    """The modules of this program that a file imports, those that it imports inside functions too."""
    found = set()
    for name in imported_names(path, ast.walk(tree(path))):
        while name and name not in MODULES:  # util.errors.UserError is a class of util.errors
            name = name.rpartition(".")[0]
        if name:
            found.add(name)
    return found - {module_of(path)}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_from_scripts_over_options_and_data_or_models_down_to_util(room):
    upward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / room).rglob("*.py"))
        if path.name != "__main__.py"
        for name in sorted(imports(path))
        if name.partition(".")[0] not in MAY_IMPORT[room]
    ]
    assert not upward, f"{room} may import only {', '.join(sorted(MAY_IMPORT[room]))}:\n" + "\n".join(upward)


def test_networks_know_only_networks_and_util():
    upward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / "models" / "networks").glob("*.py"))
        for name in sorted(imports(path))
        if not f"{name}.".startswith(("models.networks.", "util."))
    ]
    assert not upward, "models/networks takes plain arguments and imports only util:\n" + "\n".join(upward)


def circle(start: str, edges: dict[str, set[str]]) -> list[str] | None:
    """The shortest way from a module back to itself along its imports."""
    ways, seen = [[start]], set()
    for way in ways:
        for name in sorted(edges[way[-1]]):
            if name == start:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return None


def test_no_file_imports_itself_through_others():
    edges = {name: imports(path) for name, path in MODULES.items()}
    circles = [found for name in sorted(edges) if (found := circle(name, edges))]
    shortest = min(circles, key=len, default=[])
    assert not circles, f"{len(circles)} modules are part of a circle, such as " + " -> ".join(shortest)


def test_functions_have_at_most_40_lines():
    too_long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name} has {lines} lines"
        for path in [*program(), *sorted(TESTS.rglob("*.py"))]
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert not too_long, f"a function does one thing, in at most {LONGEST_FUNCTION} lines:\n" + "\n".join(too_long)


def test_a_room_holds_about_a_dozen_files():
    rooms = {path.parent for path in program() if path.parent != ROOT}
    crowded = []
    for room in sorted(rooms):
        name = room.relative_to(ROOT).as_posix()
        files = [path for path in room.glob("*.py") if path.name not in ("__init__.py", "__main__.py")]
        if len(files) > MOST_FILES.get(name, MOST_FILES[""]):
            crowded.append(f"{name}/ holds {len(files)} files")
    assert not crowded, "make a room within it for files about one subject:\n" + "\n".join(crowded)


def test_importing_a_package_imports_no_heavy_library():
    """`train.py --help` looks at the registries, which are in these files, and must not wait for torch."""
    heavy = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in program()
        if path.name == "__init__.py"
        for name in imported_names(path, iter_executed(tree(path)))
        if name.partition(".")[0] in HEAVY
    ]
    assert not heavy, "import it inside the function that needs it:\n" + "\n".join(heavy)


def iter_executed(module: ast.Module) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported: neither bodies of functions nor TYPE_CHECKING blocks."""
    waiting: list[ast.AST] = list(module.body)
    for node in waiting:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))
