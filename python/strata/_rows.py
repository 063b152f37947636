"""Engines whose functions give one value for each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strata.errors import UsageError


def refuse_others(engine: str, arguments: Mapping[str, Any], *nothing: str) -> None:
    """Refuses arguments that would make other rows, or need other columns than one of texts.

    Parameters
    ----------
    engine : str
        Its name, for messages.
    arguments : mapping of str to object
        Those of an encoder.
    *nothing : str
        Arguments that say nothing there.
    """
    unit = arguments.get("unit", "row")
    if unit != "row":
        advice = "strata run gives rows of their own to tokens, words and spans"
        raise UsageError(f"functions of {engine} give a value for each row, and unit is {unit!r}", advice)
    if arguments.get("on_null") == "drop":
        raise UsageError(f"functions of {engine} give a value for each row, and on_null is 'drop'", "take null or nan")
    for name in ("text_pair", "spans", "align", "keep", *nothing):
        if arguments.get(name) is not None:
            raise UsageError(f"functions of {engine} are given one column of texts, and {name} is given", "leave it out")
