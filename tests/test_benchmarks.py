"""Nobody runs benchmarks/ every day, so a name that moved would be missed there until somebody does."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports import ROOT

FILES = sorted((ROOT / "benchmarks").glob("*.py"))


def names(file: Path) -> set[str]:
    """Return the names that a module has at its top level."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Name(ctx=ast.Store()):
                found.add(node.id)
            case ast.ImportFrom() | ast.Import():
                found |= {(alias.asname or alias.name) for alias in node.names}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_what_a_benchmark_imports_is_there(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("star1", "tests"):
            place = (ROOT if node.module.startswith("tests") else ROOT / "src") / node.module.replace(".", "/")
            module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
            for alias in node.names:
                is_module = (place / alias.name).is_dir() or (place / f"{alias.name}.py").is_file()
                assert is_module or alias.name in names(module), f"{node.module} has no {alias.name}"


def test_no_benchmark_hides_a_package() -> None:
    """A script's folder comes first on the path: benchmarks/coverage.py would stand in for the package coverage."""
    installed = subprocess.run(
        [sys.executable, "-c", "from importlib.metadata import packages_distributions as p; print(*p())"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    taken = {*installed, *sys.stdlib_module_names, "coverage"}
    assert not {file.stem for file in FILES} & taken
