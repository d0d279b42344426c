"""`star1`: the few things that DVC has no verb for."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from star1.errors import UserError

if TYPE_CHECKING:
    from star1.llm.store import Store

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
responses = typer.Typer(no_args_is_help=True, help="The remembered model responses.")
app.add_typer(responses, name="responses")
ARCHIVE = Path("responses")


@app.callback()
def star1() -> None:
    """STAR-1 as a data-versioned pipeline. `dvc repro` builds everything; these are its helpers."""


@app.command()
def check(
    mark: Annotated[Path | None, typer.Option(help="A file to write when all is well; for dvc.yaml.")] = None,
) -> None:
    """Check params.yaml: names, types, ranges, and that the files it names exist."""
    from star1.checks import check_repository, tidy
    from star1.params import load

    check_repository(load(Path("params.yaml")), Path())
    if mark is not None:
        if removed := tidy(Path()):
            typer.echo(f"removed {len(removed)} files of stages that params.yaml names no more; DVC's cache has them")
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text("params.yaml was checked before anything else ran\n", encoding="utf-8")


@app.command()
def preset(
    name: Annotated[str, typer.Argument(help="A file of presets/, without .yaml; none lists them.")] = "",
) -> None:
    """Lay a preset over params.yaml. `git diff params.yaml` shows the change, `git checkout params.yaml` undoes it."""
    from star1.pipeline.presets import available, lay_over

    if not name:
        typer.echo("\n".join(available(Path("presets"))))
        return
    lay_over(Path("params.yaml"), Path("presets"), name)


@app.command()
def trace(asked: Annotated[str, typer.Argument(metavar="ID_OR_TEXT", help="A row's id, or a question.")]) -> None:
    """Tell a row's whole life: where it was collected, at which stage it left and why, where it was trained on."""
    from star1.lineage.trace import trace as lines

    for line in lines(Path(), asked):
        typer.echo(line)


@app.command()
def estimate(
    stages: Annotated[
        list[str] | None, typer.Argument(help="Stages that ask a model, all of them if none; or train.")
    ] = None,
) -> None:
    """Say what the pending model calls will take: calls, tokens and dollars, by stage. Sends nothing.

    `train` stands for the fine-tuning: tokens, steps and arithmetic of each run, memory of each way of launching it.
    """
    names = [name for name in stages or () if name != "train"]
    if names or not stages:
        from star1.llm import pending

        with _store() as store:
            asking = pending.stages(Path(), names or pending.STAGES)
            typer.echo(pending.table(Path(), {stage: pending.look(store, Path(), *stage) for stage in asking}))
    if stages and "train" in stages:
        from star1.training.estimate import report

        typer.echo(report(Path()))


@responses.command()
def stats() -> None:
    """Say what is remembered, by role and model, and what it would cost today."""
    from star1.llm.archive import stats as table
    from star1.params import load

    sending = load(Path("params.yaml")).sending

    def price(role: str, prompt_tokens: int, reply_tokens: int) -> float:
        endpoint = sending.of(role)
        return float(prompt_tokens * endpoint.input_usd + reply_tokens * endpoint.output_usd) / 1e6

    with _store() as store:
        typer.echo(table(store, price))


@responses.command()
def pack(folder: Annotated[Path, typer.Argument(help="Where the archive goes; `dvc add` it.")] = ARCHIVE) -> None:
    """Write all responses to an archive whose files change only where rows changed."""
    from star1.llm.archive import pack as write

    with _store() as store:
        rows, changed = write(store, folder)
    typer.echo(f"{rows:,} responses in {folder}; {changed} files changed. Next: dvc add {folder} && dvc push")


@responses.command()
def unpack(folder: Annotated[Path, typer.Argument(help="An archive, as `pack` writes it.")] = ARCHIVE) -> None:
    """Add an archive's responses to those that are remembered here."""
    from star1.llm.archive import unpack as read

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
    with _store() as store:
        asking = pending.stages(Path())
        unbuilt = [dvc_name(*stage) for stage in asking if not pending.look(store, Path(), *stage, seen=needed.add)]
        if unbuilt:
            raise UserError(f"what {', '.join(unbuilt)} will need is not known yet; run `dvc repro` first.")
        dropped, size = store.forget(needed.__contains__, drop)
    done = "dropped" if drop else "would be dropped (--drop does it)"
    typer.echo(f"{dropped:,} responses, {size / 2**20:,.1f} MiB, {done}; {len(needed):,} requests are needed.")


def _store() -> "Store":
    from star1.llm.store import Store
    from star1.pipeline.home import home

    return Store(home() / "responses")


def main() -> None:
    """Run the command line; what the user can mend is told in a line, without a traceback."""
    try:
        app()
    except UserError as error:
        print(f"star1: {error}", file=sys.stderr)
        raise SystemExit(1) from None
