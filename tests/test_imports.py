"""How the modules of star1 and the stages import each other."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

from tests.imports import ROOT, imported_files


def test_no_import_leads_back_also_none_hidden_in_a_function() -> None:
    files = [*(ROOT / "src/star1").rglob("*.py"), *(ROOT / "stages").glob("*.py")]
    graph = {file: imported(file) for file in files}
    assert sum(map(len, graph.values())) > 500, "the imports were not found"
    list(TopologicalSorter(graph).static_order())  # a CycleError names the modules


def imported(file: Path) -> set[Path]:
    """Return the modules that a module imports; not the packages that it lies in, which Python imports before it."""
    packages = {folder / "__init__.py" for folder in file.parents}
    found = set(imported_files(ast.parse(file.read_text(encoding="utf-8"))))
    return {module for module in found - packages - {file} if module.exists()}
