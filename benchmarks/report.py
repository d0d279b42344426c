"""The browser beside the report at the size of a large run: how large it is, how fast it opens and searches.

    python benchmarks/report.py [FOLDER]    # 2 minutes, 3 GiB; needs Chromium and chromedriver; FOLDER keeps the pages

50,000 replies (five models, 10,000 prompts, thoughts of 150 and answers of 60 random words) and 41,000 questions, 1,000
of them selected, each with a thought of 400 words. Opening is measured by the clock in headless Chromium from the
request of the file:// address to the first page of entries on the screen; a search from the key to the new page.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from star1.report.browser import write

MODELS, PROMPTS, QUESTIONS, SELECTED = 5, 10_000, 41_000, 1_000
READY = "return document.querySelector('#count').textContent"
SEARCH = """
const [words, done] = arguments, input = document.forms[0].q, list = document.querySelector("#list");
const began = performance.now();
new MutationObserver((_, watcher) => {
  watcher.disconnect();
  requestAnimationFrame(() => done([performance.now() - began, document.querySelector("#count").textContent]));
}).observe(list, {childList: true});
input.value = words;
input.dispatchEvent(new Event("input"));
"""


def sentences(rng: np.random.Generator, count: int, words: int) -> list[str]:
    """Return texts of random words, a few letters each, from a vocabulary of 20,000."""
    letters = rng.integers(97, 123, size=(20_000, 8), dtype=np.uint8)
    lengths = rng.integers(2, 9, size=20_000)
    vocabulary = np.array([bytes(word[:n]).decode() for word, n in zip(letters, lengths, strict=True)], dtype=object)
    ranks = np.minimum(rng.zipf(1.3, size=(count, words)) - 1, 19_999)
    return [" ".join(row) for row in vocabulary[ranks]]


def judgements(rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    """Return model -> its judgements."""
    prompts = sentences(rng, PROMPTS, 25)
    found = {}
    for model in range(MODELS):
        rows: dict[str, Any] = {
            "suite": ["safety"] * PROMPTS,
            "benchmark": [("JBB", "WildChat")[number % 2] for number in range(PROMPTS)],
            "prompt_id": [str(number) for number in range(PROMPTS)],
            "prompt": prompts,
            "label": [None] * PROMPTS,
            "sample": [0] * PROMPTS,
            "response": [""] * PROMPTS,
            "thinking": sentences(rng, PROMPTS, 150),
            "answer": sentences(rng, PROMPTS, 60),
            "verdict": [("safe", "unsafe", "truncated")[value] for value in rng.integers(3, size=PROMPTS)],
        }
        frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in rows.items()})
        found[f"model-{model}"] = frame
    return found


def questions(rng: np.random.Generator) -> pd.DataFrame:
    """Return the questions with what became of them."""
    texts = sentences(rng, QUESTIONS, 20)
    thoughts, answers = sentences(rng, SELECTED, 400), sentences(rng, SELECTED, 100)
    nothing = [None] * (QUESTIONS - SELECTED)
    lives = [
        ["collect: ALERT", "categorize: Self-Harm", f"select: over-represented, at step {n}"] for n in range(QUESTIONS)
    ]
    rows: dict[str, list[Any]] = {
        "id": [f"{number:016x}" for number in range(QUESTIONS)],
        "question": texts,
        "source": [f"source {number % 18}" for number in range(QUESTIONS)],
        "category": [[f"category {number % 8}"] for number in range(QUESTIONS)],
        "fate": ["in STAR-1"] * SELECTED + ["select: over-represented"] * (QUESTIONS - SELECTED),
        "life": lives,
        "thinking": thoughts + nothing,
        "answer": answers + nothing,
    }
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in rows.items()})


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """Yield a headless Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    driver.set_script_timeout(120)
    try:
        yield driver
    finally:
        driver.quit()


def opened(driver: webdriver.Chrome, address: str) -> float:
    """Return the seconds until the page of entries is there."""
    driver.get("about:blank")
    began = time.perf_counter()
    driver.get(address)
    while " of " not in driver.execute_script(READY) or "files" in driver.execute_script(READY):
        time.sleep(0.01)
    return time.perf_counter() - began


def measure(folder: Path) -> None:
    """Write the browser to `folder` and print what it takes."""
    rng = np.random.default_rng(1)
    rows = judgements(rng), questions(rng)
    began = time.process_time()
    write(folder, *rows)
    written = time.process_time() - began
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(
        f"{MODELS * PROMPTS:,} replies, {QUESTIONS:,} questions: {size / 2**20:.1f} MiB, {written:.1f} CPU s to write"
    )
    with chromium() as driver:
        page = (folder / "index.html").as_uri()
        for view in ("replies", "questions"):
            print(f"{view}: opens in {opened(driver, f'{page}#view={view}'):.2f} s")
            search(driver, view, "in the index")
        seconds = opened(driver, f"{page}#view=replies&texts=1")
        print(f"replies with all texts: opens in {seconds:.2f} s")
        search(driver, "replies", "in all texts")


def search(driver: webdriver.Chrome, view: str, where: str) -> None:
    """Print how long searches take."""
    for words in ("a", "abc", "no such words"):
        milliseconds, count = driver.execute_async_script(SEARCH, words)
        print(f"{view}: search {where} for {words!r}: {milliseconds:.0f} ms, {count}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            measure(Path(temporary))
