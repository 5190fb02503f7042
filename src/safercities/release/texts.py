"""The sentences of a release's workbook and README, in the languages that they are written in."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

ENGLISH = "en"
#: The marks of cells without a number, as the Government Analysis Function of the United Kingdom recommends them for
#: spreadsheets ("Using symbols in tables", 2021): c confidential, x not available, u low reliability.
MARKS = {"withheld": "[c]", "missing": "[x]", "unsure": "[u]"}


@cache
def sentences() -> dict[str, dict[str, str]]:
    """Key → language → sentence, read from `texts.toml`.

    Examples
    --------
    >>> sentences()["withheld"]["es"]
    'reservado'
    """
    text = files(__package__).joinpath("texts.toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = tomllib.loads(text)
    return found


@dataclass(frozen=True)
class Texts:
    """Everything said in one language; English where it is not spoken here.

    Examples
    --------
    >>> Texts("es-CO")("title", name="Medellín", period="2024")
    'Seguridad en Medellín, 2024'
    """

    language: str

    def __call__(self, key: str, /, **values: object) -> str:
        """The sentence, {names} filled in. What is filled in is never taken for a name itself."""
        spoken = sentences()[key]
        return spoken.get(base(self.language), spoken[ENGLISH]).format(**values)

    def marked(self, why: str) -> str:
        """The mark of a cell without a number, with its word: no reader needs the legend.

        Examples
        --------
        >>> Texts("en").marked("withheld")
        '[c] withheld'
        """
        return f"{MARKS[why]} {self(why)}"


def base(language: str) -> str:
    """The language without its region.

    Examples
    --------
    >>> base("es-CO"), base("pt_BR")
    ('es', 'pt')
    """
    return language.replace("_", "-").partition("-")[0].lower()


def spoken(languages: Sequence[str]) -> tuple[str, ...]:
    """Those of the languages that the sentences are written in, in their order; English where there is none.

    Examples
    --------
    >>> spoken(["es-CO", "en", "fr"]), spoken(["fr"])
    (('es', 'en'), ('en',))
    """
    known = sentences()["withheld"]
    return tuple(dict.fromkeys(base(one) for one in languages if base(one) in known)) or (ENGLISH,)
