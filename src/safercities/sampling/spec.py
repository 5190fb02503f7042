"""The choices that a survey design leaves open, by the names that the field uses. Light to import."""

from __future__ import annotations

from typing import Literal

#: What to do with a stratum in which only one PSU was drawn, so that its variance cannot be seen.
Lonely = Literal["fail", "adjust", "average", "certainty", "remove"]
#: Intervals of proportions.
IntervalMethod = Literal["korn-graubard", "logit", "wilson", "clopper-pearson", "student"]
#: What an answer that is missing means: leave the respondent out of this outcome, count as no, or refuse.
Missing = Literal["omit", "no", "fail"]
#: Degrees of freedom: PSUs less strata of the domain (those with respondents in it), or of the whole design.
DegreesOfFreedom = Literal["domain", "design"]
#: How replicate weights were made.
Replication = Literal["brr", "fay", "jk1", "jkn", "bootstrap", "sdr", "other"]
#: Larger numbers, and weights smaller than one over it, leave what a computer can square and add.
MOST = 1e100
