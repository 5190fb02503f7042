"""Terms of the statistics in plain words, for translation: quality flags, levels, breakdowns, units, methods."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise

#: Quality flag → what it means for a reader; as `model.quality`, in words that can be translated.
FLAGS: dict[str, Text] = {
    "no_denominator": _("no matching population: only a count can be given, not a rate"),
    "few_cases": _("rests on fewer than 20 cases: one or two more would change it much"),
    "partial_period": _("the source does not cover the whole period"),
    "unknown_share": _("more than 5 percent of the cases lack this characteristic: the parts are understated"),
    "population_interpolated": _("the population was interpolated between two years"),
    "population_carried": _("the population of another year was used"),
    "unlocated_share": _("more than 5 percent of the cases could not be placed: the parts are understated"),
    "unknown_acts": _("more than 5 percent of the cases have no known act: the count may be understated"),
    "part_of_acts": _("the source holds only some of the acts that this indicator counts: the rest is missing"),
    "rejected_share": _("more than 5 percent of the rows of the source were rejected: the count may be understated"),
    "zero_or_full": _("no respondent of the sample, or every one of them: the interval is one-sided"),
    "no_spread": _("all respondents gave the same number: how sure it is cannot be seen"),
    "few_respondents": _("rests on fewer respondents than the publication rules ask for"),
    "few_positive": _("fewer respondents said yes than the publication rules ask for"),
    "low_effective_n": _("the design leaves it worth fewer independent respondents than the publication rules ask for"),
    "few_df": _("too few sampling units to know well how sure it is"),
    "high_cv": _("the standard error is a larger part of the value than the publication rules allow"),
    "wide_interval": _("the interval is wider than the publication rules allow"),
    "single_psu": _("all its respondents come from one sampling unit: how sure it is cannot be seen"),
    "lonely_psu": _("a stratum holds a single sampling unit; the rule that was chosen stands in for its variance"),
    "missing_answers": _(
        "more than 5 percent of the respondents gave no usable answer: they may differ from the others"
    ),
    "smoothed": _("drawn towards the average of comparable places: not what was recorded there"),
    "synthetic": _("no usable sample here: what a model expects of a place like it"),
    "partial_coverage": _("some of the places that it stands for have no estimate: it speaks for the others"),
    "clipped": _("beyond the ends of the scale: counted as its end"),
}

#: Level of places → its name for one and for several.
LEVELS: dict[str, tuple[Text, Text]] = {
    "world": (_("world"), _("world")),
    "region": (_("region"), _("regions")),
    "country": (_("country"), _("countries")),
    "state": (_("state"), _("states")),
    "city": (_("city"), _("cities")),
    "municipality": (_("municipality"), _("municipalities")),
    "district": (_("district"), _("districts")),
    "neighbourhood": (_("neighbourhood"), _("neighbourhoods")),
    "ward": (_("ward"), _("wards")),
    "police_beat": (_("police beat"), _("police beats")),
    "street_segment": (_("street segment"), _("street segments")),
}

#: Breakdown → its name.
DIMENSIONS: dict[str, Text] = {
    "sex": _("Sex"),
    "age": _("Age"),
    "orientation": _("Sexual orientation"),
    "migration": _("Migratory status"),
    "disability": _("Disability"),
    "income": _("Household income"),
    "ethnicity": _("Ethnicity"),
    "means": _("Means used"),
    "relation": _("Relation to the perpetrator"),
}

#: What the usual codes of breakdowns are called; others are told as their release tells them.
CODES: dict[tuple[str, str], Text] = {
    ("sex", "M"): _("Male"),
    ("sex", "F"): _("Female"),
    ("sex", "_O"): _("Other"),
    ("orientation", "HETEROSEXUAL"): _("Heterosexual or straight"),
    ("orientation", "GAY_LESBIAN"): _("Gay or lesbian"),
    ("orientation", "BISEXUAL"): _("Bisexual"),
    ("orientation", "_O"): _("Other orientation"),
    ("migration", "NONMIGRANT"): _("Not a migrant"),
    ("migration", "MIGRANT"): _("International migrant"),
    ("migration", "REFUGEE"): _("Refugee or asylum seeker"),
    ("migration", "IDP"): _("Internally displaced"),
    ("disability", "WITH"): _("With a disability"),
    ("disability", "WITHOUT"): _("Without a disability"),
    ("income", "Q1"): _("Lowest fifth"),
    ("income", "Q2"): _("Second fifth"),
    ("income", "Q3"): _("Middle fifth"),
    ("income", "Q4"): _("Fourth fifth"),
    ("income", "Q5"): _("Highest fifth"),
}
TOTAL, UNKNOWN = _("Total"), _("Unknown")

#: Unit of a number that stands for a whole population → its name.
COUNTED: dict[str, Text] = {
    "victims": _("victims"),
    "incidents": _("incidents"),
    "offences": _("offences"),
    "people": _("people"),
    "households": _("households"),
    "events": _("events"),
    "respondents": _("respondents"),
    "points": _("audited points"),
}

#: Method, as the estimates name it → in words.
METHODS: dict[str, Text] = {
    "count": _("number of cases, with the exact Poisson interval (Garwood)"),
    "crude rate, Garwood interval": _("cases per person-year, with the exact Poisson interval (Garwood)"),
    "empirical Bayes (Marshall, global)": _("smoothed towards the average of all places (empirical Bayes, Marshall)"),
    "empirical Bayes (Marshall, local)": _("smoothed towards the average of neighbours (empirical Bayes, Marshall)"),
    "proportion, Taylor linearisation, Korn–Graubard interval": _(
        "weighted share of the survey, with the Korn–Graubard interval"
    ),
    "total, Taylor linearisation, Student interval": _("weighted total of the survey, with the Student interval"),
    "weighted mean of points, clustered by walk, Student interval": _(
        "weighted mean of the audited points, clustered by walk, with the Student interval"
    ),
}
STANDARDISED = _("as if ages were those of the standard population {standard}, with the Fay–Feuer interval")

#: Kind of source → what it is.
SOURCES: dict[str, Text] = {
    "incidents": _("Recorded cases"),
    "survey": _("Sample survey"),
    "audits": _("Safety audits"),
    "release": _("Releases of other observatories"),
    "counts": _("Counts that another body protected"),
}

#: Framework of goals → its name.
FRAMEWORKS: dict[str, Text] = {
    "sdg": _("Sustainable Development Goals"),
    "nua": _("New Urban Agenda, paragraph"),
    "cpi": _("City Prosperity Index"),
    "u4ssc": _("United for Smart Sustainable Cities"),
}
