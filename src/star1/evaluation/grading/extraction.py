"""The final answer of a reply: the last balanced box, a final answer line, the letter of a choice.

Replies are hostile: every function here takes time linear in the length of the text and does not recurse. All
repetitions in the patterns are bounded.
"""

import re

# A second backslash is there where a model escaped the first. An escaped brace belongs to a set, not to a box.
BRACES = re.compile(r"\\{1,2}(?:boxed|fbox)[ \t\n]{0,20}\{|\\[\\{}]|[{}]")
BOX = re.compile(r"\\{1,2}(?:boxed|fbox)[ \t\n]{0,20}\{(.*)\}", re.DOTALL)
NOT_BLANK = re.compile(r"\S")

ANSWER_LINE = re.compile(
    r"\b(?i:answer)[*_]{0,3}[ \t]{0,5}(?:(?i:is)\b|[:\uff1a])[*_:\uff1a]{0,4}[ \t]{0,5}(?:\n[ \t]{0,5}){0,2}[*_]{0,3}"
    r"[ \t]{0,5}([^\s*_][^\n]{0,300})"
)
NUMBER_LINE = re.compile(r"^[ \t*$]{0,10}(-?\d[\d,]{0,30})[ \t*$.]{0,10}$", re.MULTILINE)

FONT = r"\\(?:text|textbf|mathbf|mathrm|mbox)\{"
# What may stand between "answer is" and the letter, and behind the letter: bold, dollars, brackets, boxes.
OPEN = rf"(?:[\s*_$(\[:\uff1a<]|\\[(\[]|\\boxed\{{|{FONT}|(?i:option|choice)\s){{0,12}}"
CLOSE = r"(?:[*_$)\]}>]|\\[)\]]){0,12}"
LETTER = r"(?<![A-Za-z\\])([A-J])(?![A-Za-z0-9'\u2019])"
SAID = (
    r"\b(?i:answer)[*_]{0,3}(?:[ \t]{0,5}[:\uff1a]|[ \t]{1,5}(?i:choice |option |letter )?(?i:is|would be|must be)\b)"
)
BOXED_LETTER = rf"\\boxed\{{[\s(]{{0,3}}(?:{FONT})?[\s(]{{0,3}}(?=[A-J][\s.)}}]{{0,6}}\}})"
CHOICE = re.compile(rf"(?:{SAID}{OPEN}|{BOXED_LETTER}){LETTER}")
# "Answer: A or C" names two letters.
ANOTHER = re.compile(
    rf"{CLOSE}\s{{0,3}}(?:,|/|&|and\b|or\b)\s{{0,3}}(?:(?:and|or)\b)?[\s*_$(]{{0,6}}([A-J])(?![A-Za-z0-9'\u2019])"
)
# Behind a bare A or I, it says that the letter is English.
WORD_BEHIND = re.compile(r"[ \t]{1,5}(?!(?:because|since|as|and|or|for|with|due)\b)[a-z]")
LONE_LETTER = re.compile(r"(?<![A-Za-z0-9])[A-J](?![A-Za-z0-9])")


def last_match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Return the last match of the pattern, None without one."""
    last = None
    for match in pattern.finditer(text):
        last = match
    return last


def last_box(text: str) -> str | None:
    """Return the content of the last balanced \\boxed{} or \\fbox{}, stripped; None where there is none.

    "Last" is the one that closes last. A box that only holds a box is unwrapped. An empty box, as in "put it into
    \\boxed{}", and a box that never closes are passed over.
    """
    opened: list[int | None] = []
    last: tuple[int, int] | None = None
    for token in BRACES.finditer(text):
        word = token.group()
        if word == "}":
            start = opened.pop() if opened else None
            if start is not None and NOT_BLANK.search(text, start, token.start()):
                last = start, token.start()
        elif word == "{":
            opened.append(None)
        elif len(word) > 2:
            opened.append(token.end())
    if last is None:
        return None
    content = text[slice(*last)].strip()
    for _ in range(3):
        inner = BOX.fullmatch(content)
        if inner is None or not balanced(inner.group(1)):
            break
        content = inner.group(1).strip()
    return content


def balanced(text: str) -> bool:
    """Return whether every brace of the text has its other half."""
    depth = 0
    for token in BRACES.finditer(text):
        depth += 1 if token.group()[-1] == "{" and token.group() != "\\{" else -1 if token.group() == "}" else 0
        if depth < 0:
            return False
    return depth == 0


def answer_line(text: str) -> str | None:
    """Return what follows the last "Answer:" or "the answer is" on its line, at most 300 characters, or None."""
    last = last_match(ANSWER_LINE, text)
    return last.group(1).strip(" \t*_") if last else None


def number_line(text: str) -> str | None:
    """Return the last line that holds nothing but a whole number, or None."""
    lines = NUMBER_LINE.findall(text)
    return lines[-1] if lines else None


def chosen_letter(text: str) -> str | None:
    """Return the letter A to J of the last "Answer: X", "the answer is (X)" or \\boxed{X}, or None.

    Bold, dollars, brackets, boxes and "option" may stand around the letter. Where the last statement names several
    letters, all of them are returned ("A, C"): that is an answer, and equal to no letter.
    """
    chosen = None
    for match in CHOICE.finditer(text):
        if _is_word(text, match):
            continue
        letters = [match.group(1)]
        another = ANOTHER.match(text, match.end())
        while another and not _is_word(text, another) and len(letters) < 10:
            letters.append(another.group(1))
            another = ANOTHER.match(text, another.end())
        chosen = ", ".join(letters)
    return chosen


def _is_word(text: str, match: re.Match[str]) -> bool:
    """Return whether the letter that was found is English: "The answer is A good deal", "(B), I think"."""
    bare = text[match.start(1) - 1].isspace()
    return match.group(1) in "AI" and bare and WORD_BEHIND.match(text, match.end()) is not None


def lone_letter(text: str) -> str | None:
    """Return the last capital A to J that stands alone, whatever it means there, or None."""
    letters = LONE_LETTER.findall(text)
    return letters[-1] if letters else None
