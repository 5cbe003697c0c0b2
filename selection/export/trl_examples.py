"""How a row of each format becomes an example of TRL's: the part of its script that differs."""

from __future__ import annotations

from selection.export.files import DataFile

_VALUE = '''

def value(row, field):
    """What a row has in the column of a field; None for nothing."""
    return row.get(COLUMNS.get(field, field)) or None


def beside(row):
    """A row's tools, where it has some."""
    tools = value(row, "tools")
    return {} if tools is None else {"tools": tools}


def system(row):
    """A row's system prompt as a message, where it has one in a column."""
    told = value(row, "system")
    return [] if told is None else [{"role": "system", "content": told}]
'''

_LISTED = '''

def listed(said, role):
    """Messages: a text is one of them."""
    return [{"role": role, "content": said}] if isinstance(said, str) else list(said)
'''

_TEXT = '''

def example(row):
    """One row as TRL takes it."""
    return {"text": row[COLUMNS.get("text", "text")]}
'''

_MESSAGES = '''

def example(row):
    """One row as TRL takes it."""
    return {"messages": system(row) + value(row, "messages"), **beside(row)}
'''

_SHAREGPT = '''

ROLES = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "model", "chatgpt", "function_call"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation"), "tool"),
}


def example(row):
    """One row as TRL takes it; a call is the text that it is."""
    turns = [
        {
            "role": ROLES[turn["from"].strip().lower()],
            "content": turn["value"],
            "weight": int(is_trained(turn)),
        }
        for turn in value(row, "conversations")
    ]
    return {"messages": system(row) + turns, **beside(row)}
'''

_ALPACA = '''

def example(row):
    """One row as TRL takes it."""
    before = []
    for asked, answered in value(row, "history") or []:
        before += [
            {"role": "user", "content": asked},
            {"role": "assistant", "content": answered},
        ]
    asked = "\\n\\n".join(filter(None, (value(row, "instruction"), value(row, "input"))))
    prompt = system(row) + before + [{"role": "user", "content": asked}]
    completion = [{"role": "assistant", "content": value(row, "output")}]
    return {"prompt": prompt, "completion": completion, **beside(row)}
'''

_PREFERENCE = '''

def example(row):
    """One row as TRL takes it: the chosen answer; the rejected one is not learnt from."""
    said = listed(value(row, "chosen"), "assistant")
    if said[0]["role"] not in ("system", "developer", "user"):
        said = listed(value(row, "prompt"), "user") + said
    said = system(row) + said
    return {"prompt": said[:-1], "completion": said[-1:], **beside(row)}
'''

_PAIR = '''

def example(row):
    """One row as TRL takes it."""
    prompt = system(row) + listed(value(row, ASKED), "user")
    completion = listed(value(row, ANSWERED), "assistant")
    return {"prompt": prompt, "completion": completion, **beside(row)}
'''

_PAIR_OF_TEXTS = '''

def example(row):
    """One row as TRL takes it."""
    return {"prompt": value(row, ASKED), "completion": value(row, ANSWERED)}
'''

_EXAMPLES = {
    "text": _TEXT,
    "messages": _VALUE + _MESSAGES,
    "sharegpt": _VALUE + _SHAREGPT,
    "alpaca": _VALUE + _ALPACA,
    "preference": _VALUE + _LISTED + _PREFERENCE,
}


def pair_of(file: DataFile) -> dict[str, object]:
    """Return the fields of a question and its answer; none where rows are in another shape."""
    if file.format in _EXAMPLES:
        return {}
    asked, answered = file.format.split("-")
    return {"ASKED": asked, "ANSWERED": answered}


def example_code(file: DataFile) -> str:
    """Return `example(row)`, with what it needs beside the script's constants."""
    pair = pair_of(file)
    if not pair:
        return _EXAMPLES[file.format]
    of_texts = not file.has("system") and not file.has("tools")
    of_texts = of_texts and not any(file.is_listed(str(field)) for field in pair.values())
    return _VALUE + (_PAIR_OF_TEXTS if of_texts else _LISTED + _PAIR)
