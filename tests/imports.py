"""The import graph of the project, read from the source with `ast`: which files decide a stage's result."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Plumbing that decides nothing about a result: how stages are run, checked, sent, logged and drawn as progress.
# An edit there must not rebuild anything, let alone re-train a model. The search for deps stops at these modules.
PLUMBING = (
    "src/star1/__init__.py",
    "src/star1/artifacts.py",
    "src/star1/bases/whole.py",
    "src/star1/errors.py",
    "src/star1/files.py",
    "src/star1/params.py",
    "src/star1/tracking.py",
    "src/star1/pipeline/",
    "src/star1/llm/",
    "src/star1/llm/settings.py",
    "src/star1/training/card.py",
    "src/star1/training/checkpoints.py",
    "src/star1/training/launch.py",
    "src/star1/training/memory.py",
    "src/star1/training/settings.py",
)
# What a request says, and how a local model is named in it, decide.
DECIDING = ("src/star1/llm/requests.py", "src/star1/llm/identity.py")


# What a stage's imports hold and its run cannot reach: the simulator plays no model under evaluation and no judge, and
# the replies of a model under evaluation are never asked for again with a reason.
UNREACHABLE = {
    "generate": ("src/star1/miniature/", "src/star1/prompts/", "src/star1/evaluation/grading/"),
    "judge": ("src/star1/miniature/teachers/", "src/star1/miniature/world/"),
    "agreement": ("src/star1/miniature/teachers/", "src/star1/miniature/world/"),
}


def is_plumbing(name: str) -> bool:
    """Say whether a file decides nothing about a result."""
    return name.startswith(PLUMBING) and name not in DECIDING


def deciding_files(stage: Path) -> set[str]:
    """Return the files of the project that decide what the stage module does, itself among them, relative to ROOT."""
    found: set[str] = set()
    waiting = [stage]
    while waiting:
        file = waiting.pop()
        name = str(file.relative_to(ROOT))
        if name in found or is_plumbing(name) or name.startswith(UNREACHABLE.get(stage.stem, ("-",))):
            continue
        found.add(name)
        tree = ast.parse(file.read_text(encoding="utf-8"))
        found |= set(prompt_files(tree)) | set(policy_files(tree))
        waiting += [imported for imported in imported_files(tree) if imported.exists()]
        if name == "src/star1/evaluation/tasks/__init__.py":  # it imports the tasks by name
            waiting += file.parent.glob("*.py")
        if has_data(file):
            found |= {str(data.relative_to(ROOT)) for data in file.parent.iterdir() if data.suffix == ".txt"}
    unreachable = UNREACHABLE.get(stage.stem, ("-",))
    return {name for name in found if not is_empty_package(ROOT / name) and not name.startswith(unreachable)}


def imported_files(tree: ast.Module) -> Iterator[Path]:
    """Yield the files of the modules of star1 that a module imports, anywhere but under TYPE_CHECKING."""
    for node in walk_running_code(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "star1":
            yield from module_files(node.module)
            for alias in node.names:
                yield from module_files(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "star1":
                    yield from module_files(alias.name)


def walk_running_code(node: ast.AST) -> Iterator[ast.AST]:
    """Walk the tree without what stands under `if TYPE_CHECKING:`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield from walk_running_code(child)


def module_files(module: str) -> Iterator[Path]:
    """Yield the file of a module, and those of the packages that it lies in."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        package = ROOT.joinpath("src", *parts[:length])
        yield package / "__init__.py"
    yield ROOT.joinpath("src", *parts).with_suffix(".py")


def prompt_files(tree: ast.Module) -> Iterator[str]:
    """Yield the prompt templates that a module names: ask("NAME", ...)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ask" and node.args:
            template = node.args[0]
            assert isinstance(template, ast.Constant), "a prompt's name must stand in the call, for this test to see it"
            yield f"src/star1/prompts/{template.value}.txt"


def policy_files(tree: ast.Module) -> Iterator[str]:
    """Yield the policies, if a module reads the folder that params names: texts.policies."""
    reads = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "policies")
    if any(ast.unparse(node.value).split(".")[-1] == "texts" for node in reads):
        for file in (ROOT / "src/star1/policies").glob("*.txt"):
            yield str(file.relative_to(ROOT))


def has_data(file: Path) -> bool:
    """Say whether a module reads the text files that lie beside it (the prompts are named one by one instead)."""
    text = file.read_text(encoding="utf-8")
    return "Path(__file__).parent" in text and "prompts" not in file.parts


def is_empty_package(file: Path) -> bool:
    """Say whether a file is an __init__ that holds nothing but its docstring."""
    if file.name != "__init__.py":
        return False
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)
