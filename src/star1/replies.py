"""A reasoning model's reply, taken apart: thinking and answer."""


def split_reply(text: str, opened: bool = False) -> tuple[str | None, str | None]:
    """Split raw text at the tags of the thought into (thinking, answer).

    The opening tag may be missing, since some chat templates put it into the prompt; `opened` says that this one's
    does. Without a closing tag the thought never ended: (thinking, None) where one was opened, else the text is an
    answer without a thought.
    """
    tagged = text.lstrip().startswith("<think>")
    opened = opened or tagged
    body = text.lstrip().removeprefix("<think>") if tagged else text
    thinking, closing, answer = body.partition("</think>")
    if closing:
        return thinking.strip(), answer.strip()
    return (body.strip(), None) if opened else (None, body.strip())
