"""Steps of jobs: what `safercities` says while it works becomes a code with names; and that, words for a page."""

from __future__ import annotations

import re
from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

#: Characters that `Job.step` holds; and what parts its code from the names that follow.
LONGEST, _BAR = 100, "|"
#: The step that is not interrupted: what it writes is public at its end.
WRITING = "write"
#: What the rooms below say, and the code of it. Groups are names: of a source, an indicator, a period.
_SAID: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(said), code)
    for said, code in (
        (r"check", "check"),
        (r"check (?P<source>.+)", "check-source"),
        (r"measure", "measure"),
        (r"measure (?P<count>\d+) indicators from (?P<source>.+)", "measure-several"),
        (r"measure (?P<indicator>\S+) from (?P<source>.+)", "measure-one"),
        (r"protect (?P<source>.+), (?P<period>[^,]+)", "protect-period"),
        (r"protect (?P<source>.+)", "protect"),
        (r"attack the release|attacking", "attack"),
        (r"attack (?P<source>.+), (?P<period>[^,]+)", "attack-period"),
        (r"write the release", WRITING),
    )
)
_NAMES = {code: tuple(pattern.groupindex) for pattern, code in _SAID}
_WORDS: Mapping[str, str | Promise] = {
    "check": _("Check"),
    "check-source": _("Checking {source}"),
    "measure": _("Measure"),
    "measure-one": _("Measuring {indicator} from {source}"),
    "measure-several": _("Measuring {count} indicators from {source}"),
    "protect": _("Protecting {source}"),
    "protect-period": _("Protecting {source}, {period}"),
    "attack": _("Attacking the release as an outsider would"),
    "attack-period": _("Attacking {source}, {period}, as an outsider would"),
    WRITING: _("Writing the release"),
    "verify": _("Verifying the releases"),
    "pages": _("Prepare the public pages"),
    "compare": _("Comparing the releases"),
}


def coded(said: str) -> str:
    """The code of a step, with its names; what is unknown stays as it was said.

    Examples
    --------
    >>> coded("measure sdg.16.1.1 from police"), coded("protect police, health, 2024"), coded("verify")
    ('measure-one|sdg.16.1.1|police', 'protect-period|police, health|2024', 'verify')
    """
    for pattern, code in _SAID:
        if found := pattern.fullmatch(said):
            return _BAR.join([code, *(name.replace(_BAR, " ") for name in found.groups())])[:LONGEST]
    return said[:LONGEST]


def words(step: str) -> str:
    """A step for whoever reads the page, in their language; empty where it has none.

    Examples
    --------
    >>> from django.utils.translation import override
    >>> with override("en"):
    ...     words("protect-period|police, health|2024"), words("something else")
    ('Protecting police, health, 2024', '')
    """
    code, *names = step.split(_BAR)
    told = _WORDS.get(code)
    if told is None:
        return ""
    given = dict.fromkeys(_NAMES.get(code, ()), "…")  # at the end of the field names may have been cut off
    return str(told).format(**given | dict(zip(given, names, strict=False)))
