"""Quality flags of an estimate: short codes in the table, sentences for people."""

from __future__ import annotations

#: Flag → what it means for a reader. Several flags stand in one `quality` field, separated by a space.
FLAGS: dict[str, str] = {
    "no_denominator": "no matching population: only a count can be given, not a rate",
    "few_cases": "rests on fewer than 20 cases: one or two more would change it much",
    "partial_period": "the source does not cover the whole period",
    "unknown_share": "more than 5 % of the cases lack this characteristic: the parts are understated",
    "population_interpolated": "the population was interpolated between two years",
    "population_carried": "the population of another year was used",
    "unlocated_share": "more than 5 % of the cases could not be placed: the parts are understated",
    "unknown_acts": (
        "more than 5 % of the source's cases have no known act, or only a wider one: the count may be understated"
    ),
    "part_of_acts": "the source holds only some of the acts that this indicator counts: the rest is not in the number",
    "rejected_share": "more than 5 % of the source's rows were rejected: the count may be understated",
    "zero_or_full": "no respondent of the sample, or every one of them: the interval is one-sided",
    "no_spread": "all respondents gave the same number: how sure it is cannot be seen",
    "few_respondents": "rests on fewer respondents than the publication rules ask for",
    "few_positive": "fewer respondents said yes than the publication rules ask for",
    "low_effective_n": "the design leaves it worth fewer independent respondents than the publication rules ask for",
    "few_df": "too few sampling units to know well how sure it is",
    "high_cv": "the standard error is a larger part of the value than the publication rules allow",
    "wide_interval": "the interval is wider than the publication rules allow",
    "single_psu": "all its respondents come from one sampling unit: how sure it is cannot be seen",
    "lonely_psu": "a stratum holds a single sampling unit; the rule that was chosen stands in for its variance",
    "missing_answers": "more than 5 % of the respondents gave no usable answer: they may differ from the others",
    "smoothed": "drawn towards the average of comparable places: not what was recorded there",
    "synthetic": "no usable sample here: what a model expects of a place like it",
    "partial_coverage": "some of the places that it stands for have no estimate: it speaks for the others",
    "clipped": "beyond the ends of the scale: counted as its end",
}


def join(*flags: str) -> str:
    """Flags as one field: known ones, each once, in the order of the list.

    Examples
    --------
    >>> join("few_cases", "", "no_denominator few_cases")
    'no_denominator few_cases'
    """
    given = {flag for field in flags for flag in field.split()}
    unknown = given - FLAGS.keys()
    if unknown:
        raise ValueError(f"unknown quality flags: {', '.join(sorted(unknown))}")
    return " ".join(flag for flag in FLAGS if flag in given)
