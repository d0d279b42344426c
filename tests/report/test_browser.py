"""The browser of replies and questions in a real one, from disk: it shows, filters, searches; nothing in it runs."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from star1.report import browser
from star1.report.browser import cut, write
from tests.report.test_page import HOSTILE

LONG = "W" * 2**20
BIDI = "\u05e9\u05dc\u05d5\u05dd \u202e\u2066 \u200f mixed"
UNCLOSED = "</script><!-- <textarea><svg onload=alert(1)> </body> `${alert(1)}` \u2028 __proto__ </p"
TEXTS = [HOSTILE, LONG, BIDI, UNCLOSED]


def frame(rows: dict[str, list[Any]]) -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in rows.items()})


def judgements() -> dict[str, pd.DataFrame]:
    """Two models on 60 prompts; every name and text that data may bring is hostile somewhere."""
    names = [*TEXTS, *(f"prompt number {number}" for number in range(56))]
    found = {}
    for model in ("base", UNCLOSED):
        found[model] = frame(
            {
                "suite": ["safety"] * 60,
                "benchmark": ["JBB"] * 30 + [HOSTILE] * 30,
                "prompt_id": [str(number) for number in range(60)],
                "prompt": names,
                "label": [None] * 59 + [HOSTILE],
                "sample": [0] * 60,
                "response": [f"raw {number}" for number in range(60)],
                "thinking": [f"{model[:4]} thinks {number} of {text[:40]}" for number, text in enumerate(names)],
                "answer": [
                    text[::-1] if text == LONG else f"{text} needle{number}" for number, text in enumerate(names)
                ],
                "verdict": ["safe", HOSTILE, *["unsafe"] * 58],
                "extracted": [UNCLOSED] * 60,
            }
        )
    return found


def rows() -> pd.DataFrame:
    texts = frame(
        {
            "id": [f"{number:016x}" for number in range(4)],
            "question": TEXTS,
            "source": TEXTS[:1] * 4,
            "category": [[HOSTILE], [], [BIDI], [UNCLOSED]],
            "fate": ["in STAR-1", *["select: crowded"] * 3],
            "life": [[UNCLOSED, HOSTILE]] * 4,
            "thinking": [UNCLOSED, None, None, None],
            "answer": [HOSTILE, None, None, None],
        }
    )
    return texts


def share(part: int, words: int) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """The `part`th of 50,000 replies of five models, no prompt twice, and 41,000 questions, 1,000 of them in STAR-1."""
    count, asked, selected = 10_000 // part, 41_000 // part, 1_000 // part
    said, numbers = "word " * words, [f"{number:016x}" for number in range(asked)]
    named = {"suite": "safety", "benchmark": "WildJailbreak", "label": None, "sample": 0, "response": ""}
    verdicts = dict.fromkeys(("verdict", "paper_verdict", "thinking_verdict", "answer_verdict"), "unsafe")
    texts = {"thinking": 10 * said, "answer": 5 * said, "extracted": said[:60]}
    same = {name: [value] * count for name, value in (named | verdicts | texts).items()}
    replies = {
        f"model-{model}": frame(
            same | {"prompt_id": numbers[:count], "prompt": [f"{model} {number} {said}" for number in range(count)]}
        )
        for model in range(5)
    }
    life = [
        "collect: wildjailbreak",
        "deduplicate: 12 others were dropped because of it",
        "categorize: Violence/Physical Harm, Privacy/Personal Data",
        "score: Compliance with Safety Policies 10, Policy Relevancy Evaluation 10, Reasoning Accuracy 10",
        "select: dropped: over-represented, step 12,345 of 40,000",
    ]
    row = {"source": "wildjailbreak", "category": ["Privacy/Personal Data"], "life": life}
    lives = {name: [value] * asked for name, value in row.items()} | {"id": numbers}
    fates = ["in STAR-1"] * selected + ["select: over-represented"] * (asked - selected)
    thoughts = [20 * said] * selected + [None] * (asked - selected)
    both = {"fate": fates, "thinking": thoughts, "answer": thoughts}
    return replies, frame(lives | both | {"question": [f"{number} {said}" for number in numbers]})


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    """A headless Chromium whose alerts would be seen."""
    program, steered = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not program or not steered:
        pytest.skip("no Chromium and chromedriver on the path")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    started = webdriver.Chrome(options, Service(steered))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def show(driver: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Return a function that opens the page behind # and returns its count, once that is there."""
    folder = tmp_path_factory.mktemp("browser")
    write(folder, judgements(), rows())
    page = (folder / "index.html").as_uri()

    def opened(asked: str, **size: int) -> str:
        device = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False} | size
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
        driver.get("about:blank")
        driver.get(f"{page}#{asked}")
        return counted(driver)

    return opened


def counted(driver: Any) -> str:
    """Wait for the entries and return what the page says of their number."""
    for _ in range(500):
        said: str = driver.execute_script("return document.querySelector('#count').textContent")
        if " of " in said and "files" not in said:
            return said
        time.sleep(0.01)
    raise AssertionError(said)


def text(driver: Any) -> str:
    shown: str = driver.execute_script("return document.querySelector('main').textContent")
    return shown


def scripts(driver: Any) -> list[str]:
    """Return the files that the page has read."""
    return sorted(driver.execute_script("return [...document.scripts].map(s => s.getAttribute('src'))"))


def test_hostile_texts_are_shown_as_text(driver: Any, show: Callable[..., str]) -> None:
    assert show("view=replies") == "120 of 120 replies"
    shown = text(driver)
    assert "<script>alert(1)</script>" in shown and "<img src=http://evil.example/x.png>" in shown
    assert "</script><!-- <textarea><svg onload=alert(1)> </body> `${alert(1)}` ⟨U+2028⟩ __proto__ </p" in shown
    assert "⟨U+202E⟩txt.exe ⟨U+0000⟩⟨U+001B⟩[31m" in shown
    assert "⟨U+202E⟩⟨U+2066⟩ ⟨U+200F⟩ mixed" in shown
    assert "1,048,576 characters in all" in shown
    tags = driver.execute_script("return [...new Set([...document.body.querySelectorAll('*')].map(e => e.localName))]")
    assert not {"img", "svg", "iframe", "textarea", "object", "embed", "link"} & set(tags)
    assert scripts(driver) == ["browser.js", "data/replies-0.js", "data/replies.js"]
    assert show("view=questions") == "4 of 4 questions"
    assert "__proto__" in text(driver) and "⟨U+202E⟩" in text(driver)
    assert [entry for entry in driver.get_log("browser") if "favicon" not in entry["message"]] == []


def test_the_policy_lets_no_script_of_the_page_run(driver: Any, show: Callable[..., str]) -> None:
    show("view=replies")
    driver.execute_script("document.querySelector('#list').innerHTML = '<img src=x onerror=\"window.ran = 1\">'")
    driver.execute_script(
        "const s = document.createElement('script'); s.text = 'window.ran = 2'; document.body.append(s)"
    )
    time.sleep(0.2)
    assert driver.execute_script("return window.ran") is None
    assert any("Content Security Policy" in entry["message"] for entry in driver.get_log("browser"))


def test_filters_search_and_pages(driver: Any, show: Callable[..., str]) -> None:
    assert show("view=replies&model=base&benchmark=JBB") == "30 of 120 replies"
    assert show("view=replies&model=nobody") == "0 of 120 replies"
    assert show("view=replies&id=JBB:7") == "2 of 120 replies"
    assert show("view=questions&category=__proto__") == "0 of 4 questions"
    assert show("view=questions&fate=in+STAR-1") == "1 of 4 questions"
    assert show("view=replies&q=NUMBER 3") == "22 of 120 replies"
    assert show("view=replies&q=needle41") == "0 of 120 replies"
    assert show("view=replies&q=needle41&texts=1") == "2 of 120 replies"
    assert show("view=replies&page=6") == "120 of 120 replies"
    assert "page 6 of 6" in text(driver)
    assert driver.execute_script("return document.querySelectorAll('article').length") == 20
    driver.execute_script("document.querySelector('#previous').click()")
    assert "page 5 of 6" in driver.execute_async_script(
        "setTimeout(() => arguments[0](document.body.textContent), 200)"
    )
    driver.execute_script("const q = document.forms[0].q; q.value = 'number 55'; q.dispatchEvent(new Event('input'))")
    time.sleep(0.2)
    assert counted(driver) == "2 of 120 replies"
    driver.execute_script("document.querySelector('article .kind button').click()")
    time.sleep(0.2)
    assert "id=" in driver.current_url
    assert counted(driver) == "2 of 120 replies"


@pytest.mark.parametrize("view", ["replies", "questions"])
def test_the_page_fits_a_phone(driver: Any, show: Callable[..., str], view: str) -> None:
    show(f"view={view}", width=390, height=800, mobile=True)
    assert driver.execute_script("return document.documentElement.scrollWidth") == 390


def test_the_longest_texts_are_cut_so_that_all_have_room() -> None:
    sizes = [0, 10, 500, 3000, 40, 9000]
    texts = [None if size == 0 else "é" * size for size in sizes]
    shown = cut(texts, 4000)
    assert shown[:3] == texts[:3]
    beginnings = [text[0] for text in shown if isinstance(text, tuple)]
    assert [text[1] for text in shown if isinstance(text, tuple)] == [3000, 9000]
    assert sum(2 * len(text) for text in [*shown[1:3], shown[4], *beginnings]) <= 4000
    assert len(beginnings[0]) == pytest.approx(len(beginnings[1]), abs=2)
    assert cut(texts, 10**6) == texts
    assert cut([LONG], 10**9)[0] == (LONG[: browser.LONGEST * len(LONG) // (len(LONG) + 2)], len(LONG))


@pytest.mark.parametrize("words", [0, 20, 200])
def test_50000_replies_and_41000_questions_take_at_most_60_mib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: int
) -> None:
    """A fiftieth of each, in a fiftieth of the room that is there for texts."""
    part = 50
    for name in ("ALL", "HEADS", "ANSWERS", "LEAST"):
        monkeypatch.setattr(browser, name, getattr(browser, name) // part)
    write(tmp_path, *share(part, words))
    rows = sum(file.stat().st_size for file in (tmp_path / "data").iterdir())
    page = sum(file.stat().st_size for file in tmp_path.iterdir() if file.is_file())
    assert page + part * rows <= 60 * browser.MIB
    assert words < 20 or page + part * rows > 55 * browser.MIB, "texts are cut although there is room"


def test_a_page_reads_the_texts_that_it_shows_and_no_others(driver: Any, tmp_path: Path) -> None:
    write(tmp_path, *share(25, words=1))  # 2,000 replies and 1,640 questions, in four files of texts each
    for asked, texts in {
        "view=replies": {"replies", "replies-0"},
        "view=questions": {"questions", "questions-0"},
        "view=replies&model=model-4&page=3": {"replies", "replies-3"},
        "view=replies&q=number&texts=1": {"replies", *(f"replies-{number}" for number in range(4))},
    }.items():
        driver.get("about:blank")
        driver.get(f"{(tmp_path / 'index.html').as_uri()}#{asked}")
        counted(driver)
        assert scripts(driver) == sorted(["browser.js", *(f"data/{name}.js" for name in texts)])


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, judgements(), rows())
    files = sorted(file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*") if file.is_file())
    assert len(files) == 6
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)
