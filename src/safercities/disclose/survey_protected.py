"""What comes of protecting survey estimates: rows as they may be seen, and why the others may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from safercities.model.estimates import Estimates

#: Why a row is withheld; only the private log says so.
REASONS: Mapping[str, str] = {
    "few_respondents": "fewer respondents than the minimum",
    "few_cases": "fewer cases than the minimum: nobody up to the minimum are one class",
    "few_others": "fewer respondents who are no case than the minimum: everybody is an answer too",
    "rules": "the publication rules withhold it",
    "no_spread": "no standard error that would say how far it may be rounded",
    "dominance": "one respondent may be nearly all of the mean (p% rule)",
    "parallel": "of a second division of the city into places: two of them side by side are not proved safe",
    "narrow": "respondents or cases could be told from its own figures, were the sample one that weighs itself",
    "complement": "with it, a domain could be told from the others",
    "limits": "no limits from rounded figures hold the true ones",
    "no_share": "a number of people or events without its share, or without what rounds it",
    "second_form": "a further form of an estimate that is shown already: two roundings tell more than one",
    "changed": "changed by few since it was published, and the earlier row is not true enough any more",
    "derived": "made from exact estimates: make it anew from the protected ones",
}


@dataclass(frozen=True)
class Protected:
    """Protected estimates, and the private log.

    Parameters
    ----------
    estimates
        All rows that were given, in their order. `conf_status` is F or N, and of the rows N nothing is left.
    reasons
        Row → why it is withheld (keys of `REASONS`). Private: it tells primary from complementary.
    """

    estimates: Estimates
    reasons: Mapping[int, str] = field(default_factory=dict)

    @property
    def tally(self) -> dict[str, int]:
        """How many rows are withheld for each reason."""
        found = list(self.reasons.values())
        return {reason: found.count(reason) for reason in REASONS if reason in found}
