"""A place: a node of a hierarchy, from a street segment to the world."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from safercities.model.errors import SafercitiesError, problem


@dataclass(frozen=True)
class Place:
    """One place.

    Parameters
    ----------
    id
        Unique in an observatory. Codes of the source are kept (`E05001643`, `CO-MDE`, `CO-MDE.01`).
    name
        As people there write it.
    level
        Name of the geography's level: `neighbourhood`, `ward`, `police_beat`, `city`, `country`, `region`, `world`, …
    parent
        Id of the place it lies in, or None for the top.
    geometry
        Where its boundary is: `file#feature`, or None. The shape itself stays in `places`.
    valid_from, valid_to
        First and last day on which the place existed in this form; None is open.
    aliases
        Other codes for the same place, by scheme: `{"iso": "CO-ANT", "locode": "COMDE", "qid": "Q48278"}`.

    Raises
    ------
    SafercitiesError
        If its last day lies before its first.

    Examples
    --------
    >>> Place("CO-MDE", "Medellín", "city").valid_on(date(2019, 1, 1))
    True
    """

    id: str
    name: str
    level: str
    parent: str | None = None
    geometry: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    aliases: dict[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            first, last = self.valid_from, self.valid_to
            raise SafercitiesError(problem("place-never-valid", id=self.id, valid_from=first, valid_to=last))

    def valid_on(self, day: date) -> bool:
        """Whether the place existed on that day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)
