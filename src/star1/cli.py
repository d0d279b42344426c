"""`star1`: the few things that DVC has no verb for."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from star1.errors import UserError, of_the_disk
from star1.pipeline.home import home, repository

if TYPE_CHECKING:
    from star1.llm.store import Store

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
responses = typer.Typer(no_args_is_help=True, help="The remembered model responses.")
app.add_typer(responses, name="responses")
ARCHIVE = "responses"  # the folder of the archive, in the repository


@app.callback()
def star1() -> None:
    """STAR-1 as a data-versioned pipeline. `dvc repro` builds everything; these are its helpers."""


@app.command()
def check(
    mark: Annotated[Path | None, typer.Option(help="A file to write when all is well; for dvc.yaml.")] = None,
) -> None:
    """Check params.yaml: names, types, ranges; and that keys and access are there for all that will be asked and read.

    With --mark, as `dvc repro` runs it, what is missing is a warning: what is remembered or pulled needs none.
    """
    from star1.checks import check_repository, missing_access, prepare_folders, warnings
    from star1.llm.keys import missing_keys
    from star1.params import load

    root = repository()
    params = load(root / "params.yaml")
    check_repository(params, root)
    missing = missing_keys(params) + missing_access(params, root)
    if mark is None and missing:
        raise UserError("\n".join(missing))
    for line in missing + warnings(params):
        typer.echo(f"warning: {line}", err=True)
    if mark is not None:
        if removed := prepare_folders(root):
            typer.echo(f"removed {len(removed)} files of stages that params.yaml names no more; DVC's cache has them")
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("params.yaml was checked before anything else ran\n", encoding="utf-8")


@app.command()
def preset(
    name: Annotated[str, typer.Argument(help="A file of presets/, without .yaml; none lists them.")] = "",
) -> None:
    """Lay a preset over params.yaml. `git diff params.yaml` shows the change, `git checkout params.yaml` undoes it."""
    from star1.pipeline.presets import available, lay_over

    root = repository()
    if not name:
        typer.echo("\n".join(available(root / "presets")))
        return
    lay_over(root / "params.yaml", root / "presets", name)


@app.command()
def trace(asked: Annotated[str, typer.Argument(metavar="ID_OR_TEXT", help="A row's id, or a question.")]) -> None:
    """Tell a row's whole life: where it was collected, at which stage it left and why, where it was trained on."""
    from star1.lineage.trace import trace as lines

    for line in lines(repository(), asked):
        typer.echo(line)


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="star1, star_benign, star1_2k, scored, or models/RUN.")],
    to: Annotated[Path | None, typer.Option(help="A folder to write.", show_default="exports/NAME")] = None,
) -> None:
    """Write a data set or a model with its card to a folder, ready for `hf upload` and `load_dataset`."""
    from star1.export import export as write

    root = repository()
    folder = to or root / "exports" / name
    summary = write(root, name, folder)
    typer.echo(f"{folder}: {summary}")


@app.command()
def diff(
    old: Annotated[
        str, typer.Argument(metavar="[A]", help="A commit, branch, tag or experiment, or `workspace`.")
    ] = "HEAD",
    new: Annotated[str, typer.Argument(metavar="[B]", help="What it is compared with.")] = "workspace",
    html: Annotated[Path | None, typer.Option(help="Write a page with everything that fits one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything, for machines.")] = False,
    as_markdown: Annotated[bool, typer.Option("--md", help="Print a short comment for a pull request.")] = False,
) -> None:
    """Say what moved between two states, without a checkout: rows, STAR-1's questions, texts, params, verdicts."""
    import json

    from star1.lineage import diff, diff_markdown, diff_text

    if as_json and as_markdown:
        raise UserError("diff: --json or --md, not both.")
    found = diff.diff(old, new)
    if html is not None:
        from star1.files import write_text
        from star1.lineage.diff_page import page

        write_text(html, page(found))
    if as_json:
        typer.echo(json.dumps(diff.as_json(found), ensure_ascii=False, default=str))
    else:
        lines = diff_markdown.markdown(found) if as_markdown else diff_text.text(found)
        typer.echo("\n".join(lines))


@app.command()
def estimate(
    stages: Annotated[
        list[str] | None, typer.Argument(help="Stages that ask a model, all of them if none; or train.")
    ] = None,
) -> None:
    """Say what the pending model calls will take: calls, tokens and dollars, by stage. Sends nothing.

    `train` stands for the fine-tuning: tokens, steps and arithmetic of each run, memory of each way of launching it.
    """
    root = repository()
    names = [name for name in stages or () if name != "train"]
    if names or not stages:
        from star1.llm import pending
        from star1.pipeline.stale import outdated

        with _store() as store:
            asking, old = pending.stages(root, names or pending.STAGES), outdated(root)
            stale = pending.stale(root, asking, old)
            looks = {stage: None if stage in stale else pending.look(store, root, *stage) for stage in asking}
            typer.echo(pending.table(root, looks, stale, old))
    if stages and "train" in stages:
        from star1.training.estimate import report

        typer.echo(report(root))


@responses.command()
def stats() -> None:
    """Say what is remembered, by role and model, and what it would cost today."""
    from star1.llm.archive import stats as table
    from star1.params import load

    sending = load(repository() / "params.yaml").sending

    def price(role: str, prompt_tokens: int, reply_tokens: int) -> float:
        endpoint = sending.of(role)
        return float(prompt_tokens * endpoint.input_usd + reply_tokens * endpoint.output_usd) / 1e6

    with _store() as store:
        typer.echo(table(store, price))


@responses.command()
def pack(
    folder: Annotated[
        Path | None, typer.Argument(help="Where the archive goes; `dvc add` it.", show_default=ARCHIVE)
    ] = None,
) -> None:
    """Add all responses to an archive whose files change only where rows changed; what only it holds stays."""
    from star1.llm.archive import pack as write

    folder = folder or repository() / ARCHIVE
    with _store() as store:
        rows, changed = write(store, folder)
    typer.echo(f"{rows:,} responses in {folder}; {changed} files changed. Next: dvc add {folder} && dvc push")


@responses.command()
def unpack(
    folder: Annotated[
        Path | None, typer.Argument(help="An archive, as `pack` writes it.", show_default=ARCHIVE)
    ] = None,
) -> None:
    """Add an archive's responses to those that are remembered here."""
    from star1.llm.archive import unpack as read

    folder = folder or repository() / ARCHIVE
    with _store() as store:
        rows, new = read(store, folder)
    typer.echo(f"{rows:,} responses in {folder}; {new:,} are new here.")


@responses.command()
def gc(
    drop: Annotated[bool, typer.Option("--drop", help="Really drop them; without it they are only counted.")] = False,
) -> None:
    """Drop the responses that no row of the pipeline as it is now needs; experiments and older states do not count."""
    from star1.llm import pending
    from star1.pipeline.stage import dvc_name

    needed: set[str] = set()
    root = repository()
    with _store() as store:
        asking = pending.stages(root)
        unbuilt = [
            dvc_name(*stage)
            for stage in asking
            if not (pending.has_model(root, *stage) and pending.look(store, root, *stage, seen=needed.add))
        ]
        if unbuilt:
            raise UserError(
                f"what {', '.join(unbuilt)} will need is not known yet; run `dvc repro` or `dvc pull` first."
            )
        dropped, size = store.forget(needed.__contains__, drop)
    done = "dropped" if drop else "would be dropped (--drop does it)"
    typer.echo(f"{dropped:,} responses, {size / 2**20:,.1f} MiB, {done}; {len(needed):,} requests are needed.")


def _store() -> "Store":
    from star1.llm.store import Store

    return Store(home() / "responses")


def _go_on_with_the_repository_s_code() -> None:
    """Start anew with the code of the repository, if star1 is installed from another one.

    A clone, or the copy in which an experiment runs, may have other code, and its stages are imported from there.
    """
    try:
        code = str(repository().resolve() / "src")
    except UserError:
        return  # the command says so
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if Path(code, "star1/cli.py").is_file() and not Path(__file__).is_relative_to(code) and paths[:1] != [code]:
        os.environ["PYTHONPATH"] = os.pathsep.join([code, *paths])
        os.execv(sys.executable, [sys.executable, "-m", "star1.cli", *sys.argv[1:]])


def main() -> None:
    """Run the command line; a UserError prints its message without a traceback."""
    try:
        _go_on_with_the_repository_s_code()
        app(prog_name="star1")
    except (UserError, OSError) as problem:
        error: Exception = problem
        if isinstance(problem, OSError) and (told := of_the_disk(problem)):
            error = told
        elif isinstance(problem, OSError):
            if problem.filename is None:  # not about a path that the user named
                raise
            # Of a file that is put in place, the second name is the one that the user gave.
            error = UserError(f"{problem.filename2 or problem.filename}: {problem.strerror}")
        print(f"star1: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
