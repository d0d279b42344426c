"""dvc.yaml against the code: each stage's deps are the files that decide its result, no more and no fewer."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from star1.errors import UserError
from star1.params import load_raw
from star1.pipeline import graph
from tests.imports import ROOT, deciding_files

STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
TEXTS = load_raw(ROOT / "params.yaml")["texts"]
READERS = ["csv", "json", "jsonl", "parquet", "text", "hub", "miniature"]
READ_BY_NAME = {"collect", "benchmark", "published", "dataset", "labelled"}  # stages whose reader is named in params
# Started as processes of their own, so that no import names them.
PROGRAMS = ("src/star1/evaluation/grading/sandbox/", "src/star1/evaluation/grading/symbolic.py")
SOURCES_OF_BASES = ["miniature", "hub", "folder"]


def declared_code(name: str) -> list[str]:
    entry = STAGES[name]
    deps = [re.sub(r"\$\{texts\.(\w+)\}", lambda field: TEXTS[field[1]], dep) for dep in entry.get("do", entry)["deps"]]
    return [dep for dep in deps if not dep.startswith(("data/", "models/", "metrics/", "configs/", "params"))]


def files_below(dep: str) -> set[str]:
    path = ROOT / dep
    if path.is_file():
        return {dep}
    return {str(f.relative_to(ROOT)) for f in path.rglob("*") if f.is_file() and "__pycache__" not in f.parts}


@pytest.mark.parametrize("name", [name for name in STAGES if name not in READ_BY_NAME | {"check", "base"}])
def test_deps_are_the_import_graph(name: str) -> None:
    needed = deciding_files(ROOT / f"stages/{name}.py")
    covered = {file for dep in declared_code(name) for file in files_below(dep)}
    assert needed - covered == set(), f"{name} would be stale: these decide its result and are not among its deps"
    needless = {dep for dep in declared_code(name) if not files_below(dep) & needed}
    assert needless == set(), f"{name} would be rebuilt for nothing: it does not use these"
    for dep in declared_code(name):
        unused = {
            file
            for file in files_below(dep) - needed
            if file.endswith(".py") and not file.endswith("__init__.py") and not file.startswith(PROGRAMS)
        }
        assert unused == set(), f"{name} names the folder {dep}, and does not use these in it"


@pytest.mark.parametrize("name", sorted(READ_BY_NAME))
@pytest.mark.parametrize("reader", READERS)
def test_deps_of_a_source_are_its_reader_and_what_that_uses(name: str, reader: str) -> None:
    path = "src/star1/miniature/world" if reader == "miniature" else "data/mirror"
    deps = [dep.replace("${item.reader}", reader).replace("${item.path}", path) for dep in declared_code(name)]
    needed = deciding_files(ROOT / f"stages/{name}.py") | deciding_files(ROOT / f"src/star1/sources/{reader}.py")
    covered = {file for dep in deps if not dep.startswith("data/") for file in files_below(dep)}
    assert needed - covered == set(), f"{name} with reader {reader} would be stale"


@pytest.mark.parametrize("source", SOURCES_OF_BASES)
def test_deps_of_a_base_are_its_source_and_what_that_uses(source: str) -> None:
    path = "src/star1/miniature/world" if source == "miniature" else "models"
    deps = [dep.replace("${item.source}", source).replace("${item.path}", path) for dep in declared_code("base")]
    needed = deciding_files(ROOT / "stages/base.py") | deciding_files(ROOT / f"src/star1/bases/{source}/__init__.py")
    covered = {file for dep in deps if not dep.startswith("models") for file in files_below(dep)}
    assert needed - covered == set(), f"base with source {source} would be stale"
    assert covered - needed <= {"src/star1/criteria.py"}, f"base with source {source} would be rebuilt for nothing"


def test_a_stage_runs_its_own_module() -> None:
    for name, entry in STAGES.items():
        if name != "check":
            assert f" stages.{name}" in entry.get("do", entry)["cmd"]
            assert f"stages/{name}.py" in declared_code(name)
            assert f"main({name})" in (ROOT / f"stages/{name}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in STAGES if name != "check"])
def test_texts_are_deps_in_the_folder_that_params_name(name: str) -> None:
    files = sorted(file for file in deciding_files(ROOT / f"stages/{name}.py") if file.endswith(".py"))
    if name == "generate":  # it asks no judge
        files = [file for file in files if not file.startswith("src/star1/evaluation/tasks/")]
    code = "\n".join((ROOT / file).read_text(encoding="utf-8") for file in files)
    named = {f"${{texts.prompts}}/{prompt}.txt" for prompt in re.findall(r'ask\(\s*"(\w+)",\s*folder\b', code)}
    named |= {"${texts.policies}"} if "texts.policies" in code else set()
    entry = STAGES[name].get("do", STAGES[name])
    assert named == {dep for dep in entry["deps"] if dep.startswith("${texts.")}
    assert {field.split("}")[0].removeprefix("${") for field in named} == {
        param for param in entry.get("params", []) if param.startswith("texts.")
    }


def test_fields_are_filled_in_as_dvc_does() -> None:
    raw = load_raw(ROOT / "params.yaml")
    collect = graph.declared(ROOT, "collect", ("ALERT",), raw)
    assert "sources.ALERT" in collect.params
    assert "src/star1/miniature/world" in collect.deps
    assert "data/raw/ALERT.parquet" in collect.outs
    judge = graph.declared(ROOT, "judge", ("star1",), raw)
    assert judge.deps[-1] == "data/generations/star1.parquet"
    assert graph.covers(judge.outs, Path("data/judgements/star1.parquet"))
    assert not graph.covers(judge.outs, Path("data/judgements/miniature.parquet"))


def test_a_graph_with_the_marks_of_a_merge_is_a_line(root: Path) -> None:
    (root / "dvc.yaml").write_text("stages:\n<<<<<<< HEAD\n  check:\n=======\n")
    with pytest.raises(UserError, match=r"dvc\.yaml: not valid YAML") as caught:
        graph.every(root, {})
    assert "\n" not in str(caught.value)
