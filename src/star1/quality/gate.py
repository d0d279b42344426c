"""The gate's process: validates the tables that stages name on a socket, one JSON line each way.

    python -m star1.quality.gate SOCKET

`star1.quality.client` starts it.
"""

import fcntl
import html
import json
import logging
import os
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd
import pyarrow as pa

from star1 import artifacts, files
from star1.quality.suites import expectations

IDLE_S = 60  # without a question for so long, the process ends
# Of a page that shows rows: no script runs and nothing is fetched, whatever a row holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
EXAMPLES = 3  # offending rows shown on the terminal; Data Docs show more


def flat(frame: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    """Return `frame` with lists joined by " | " and each struct as columns NAME.FIELD, so that expectations apply."""
    columns: dict[str, Any] = {}
    for name in frame.columns:
        kind = schema.field(name).type
        if pa.types.is_struct(kind):
            for field in kind.names:
                columns[f"{name}.{field}"] = [None if value is None else value[field] for value in frame[name]]
        elif pa.types.is_list(kind):
            columns[name] = [None if value is None else " | ".join(value) for value in frame[name]]
        else:
            columns[name] = frame[name]
    return pd.DataFrame(columns)


def validate(
    artifact: str, table: Path, target: Path, docs: Path, categories: Sequence[str], verdicts: Sequence[str]
) -> list[str]:
    """Validate `table` against its artifact's suite; return the lines that tell what failed, none if nothing did.

    On failure Data Docs are built in the folder `docs`.
    """
    import great_expectations as gx

    frame = flat(artifacts.read(table), artifacts.ARTIFACTS[artifact].schema)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("tables").add_dataframe_asset(artifact)
    batch = asset.add_batch_definition_whole_dataframe(str(target))
    expected = expectations(artifact, [str(name) for name in frame.columns], categories, verdicts)
    suite = context.suites.add(gx.ExpectationSuite(name=artifact, expectations=expected))
    definition = context.validation_definitions.add(gx.ValidationDefinition(name=artifact, data=batch, suite=suite))
    named = {"unexpected_index_column_names": ["id"]} if "id" in frame else {}
    result = definition.run(batch_parameters={"dataframe": frame}, result_format={"result_format": "COMPLETE", **named})
    if result.success:
        return []
    page = data_docs(context, docs)
    failed = [f"{target}: {failure_message(each, frame)}" for each in result.results if not each.success]
    return [*failed, f"Nothing was written. Data Docs: {page.as_uri()}"]


def failure_message(failure: Any, frame: pd.DataFrame) -> str:
    """Say in a line which expectation failed, on how many rows, and what the first of them hold."""
    settings = failure.expectation_config
    arguments = {k: v for k, v in settings.kwargs.items() if k not in ("batch_id", "column", "column_list")}
    if failure.exception_info.get("raised_exception"):
        raise RuntimeError(f"{settings.type}: {failure.exception_info}")
    columns = settings.kwargs.get("column_list") or [settings.kwargs.get("column")]
    where = f"column {', '.join(columns)}" if columns != [None] else "table"
    rows = failure.result.get("unexpected_index_list")
    if rows is None:
        found = f"it is {json.dumps(failure.result.get('observed_value'), default=str)[:200]}"
    else:
        names = [row if isinstance(row, int) else row.get("id") for row in rows[:EXAMPLES]]
        values = failure.result["unexpected_list"][:EXAMPLES]
        shown = ", ".join(f"{name}: {str(value)[:60]!r}" for name, value in zip(names, values, strict=True))
        found = f"{len(rows)} of {len(frame)} rows break it, such as row {shown}"
    return f"{settings.type} failed on {where} ({_short(arguments)}): {found}"


def _short(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{key}={str(value)[:80]}" for key, value in arguments.items())


def data_docs(context: Any, folder: Path) -> Path:
    """Build the context's Data Docs as a static site and return the page of its one validation.

    Great Expectations puts rows into that page as they are. So they are escaped before, and a content security policy
    holds for the page.
    """
    results = context.validation_results_store
    (key,) = results.list_keys()
    result = results.get(key)
    for each in result.results:
        each.result = _escaped(each.result)
    results.update(key, result)
    for site in list(context.get_site_names()):
        context.delete_data_docs_site(site)
    context.add_data_docs_site(
        "local",
        {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {
                "class_name": "TupleFilesystemStoreBackend",
                "base_directory": str(folder),
            },
        },
    )
    context.build_data_docs(site_names="local")
    (site,) = context.get_docs_sites_urls(resource_identifier=key, site_name="local")
    page = Path(unquote(urlsplit(site["site_url"]).path))
    head = f'<head><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    files.write_text(page, page.read_text(encoding="utf-8").replace("<head>", head, 1))
    return page


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, dict):
        return {name: _escaped(each) for name, each in value.items()}
    return [_escaped(each) for each in value] if isinstance(value, list | tuple) else value


def serve(listener: socket.socket) -> None:
    """Answer each connection's line from a fork; end after IDLE_S without one.

    A line is [limit, artifact, table, target, docs, categories, verdicts]. A fork that passes the limit, seconds, is
    killed by its alarm: the client has stopped waiting by then.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the forks
    listener.settimeout(IDLE_S)
    while True:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            return
        if os.fork() == 0:
            try:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.alarm(IDLE_S)
                with connection.makefile("rw", encoding="utf-8") as line:
                    limit, *question = json.loads(line.readline())
                    signal.alarm(limit + 1)
                    line.write(json.dumps(answer(*question)) + "\n")
            finally:
                os._exit(0)
        connection.close()


def answer(artifact: str, table: str, target: str, docs: str, *words: Sequence[str]) -> dict[str, Any]:
    """Return {"problems": [line, ...]}, or {"crash": traceback} where the gate itself is at fault."""
    try:
        return {"problems": validate(artifact, Path(table), Path(target), Path(docs), *words)}
    except Exception:
        return {"crash": traceback.format_exc()}


def _locked(lock: Any) -> bool:
    for _ in range(20):  # a client that looks whether a gate runs holds the lock for some microseconds
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.01)
    return False


def main(place: Path) -> None:
    """Serve on the socket `place`, unless another process does."""
    lock = place.with_suffix(".lock").open("w")
    if not _locked(lock):
        return
    place.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen(64)  # who asks meanwhile waits in the queue
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        import great_expectations.expectations  # noqa: F401  (3 s, while the stage works)

        serve(listener)
        place.unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
