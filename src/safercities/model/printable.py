"""Text that came with the data, made fit to be shown: a name must not end a program or rewrite a terminal."""

from __future__ import annotations

import re

#: Control characters, halves of characters, and what XML cannot hold. Tab and line breaks are text.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
#: Characters that turn the reading order of all that follows, on a terminal to the end of the line.
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
#: A break of lines with the blanks around it. It begins only where blanks begin: else each of a million blanks without
#: a break would be tried as the first one, and the time would grow with the square of their number.
_BREAKS = re.compile(r"(?<!\s)\s*[\r\n\v\f\x85\u2028\u2029]\s*")


def without_controls(text: str) -> str:
    """The text with � for each character that XML, and so SVG and workbooks, cannot hold.

    Examples
    --------
    >>> without_controls("North\\x00 of it")
    'North� of it'
    """
    return _CONTROLS.sub("\ufffd", text)


def one_line(text: str) -> str:
    """The text as messages show it: on one line, without escape sequences and turned reading order.

    Source: Unicode Technical Report 36, "Unicode Security Considerations"; CWE-150.

    Examples
    --------
    >>> one_line("a\\nb\\x1b[31m")
    'a b�[31m'
    """
    return _TURNS.sub("\ufffd", without_controls(_BREAKS.sub(" ", text)))
