"""Writes the survey of the synthetic city as offices send them: codes, don't-knows, decimal commas, bad weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from safercities.demo.mess import as_csv, decimal_comma, forget
from safercities.demo.shape import ground
from safercities.demo.survey import Sample

SURVEY = "victimisation_survey.csv"
#: Kind of mess → number of rows. Rows with a weight that cannot be are extra; the others were drawn.
MESS = {
    "weight_missing": 5,
    "weight_negative": 2,
    "weight_text": 1,
    "unknown_income": 290,
    "unknown_orientation": 170,
    "unknown_disability": 12,
}
#: Column → role that is asked as yes (1), no (2), does not know (8), does not say (9), not asked (empty).
QUESTIONS = {
    "p3_deja_de_salir": "afraid_avoids_going_out",
    "p4_evita_lugares": "afraid_avoids_places",
    "p4_evita_transporte": "afraid_avoids_transport",
    "p5_robo": "victim_robbery_12m",
    "p5_denuncia": "reported_robbery",
    "p6_hurto": "victim_theft_12m",
    "p6_denuncia": "reported_theft",
    "p7_agresion": "victim_assault_12m",
    "p7_denuncia": "reported_assault",
    "p8_psicologica": "victim_psychological_12m",
    "p8_denuncia": "reported_psychological",
    "p9_sexual": "victim_sexual_12m",
    "p9_denuncia": "reported_sexual",
    "p10_acoso_no_sexual": "harassed_nonsexual_12m",
    "p10_acoso_sexual": "harassed_sexual_12m",
    "p10_calle": "harassed_public_space_12m",
    "p10_transporte": "harassed_transport_12m",
    "p10_trabajo": "harassed_work_12m",
    "p10_hogar": "harassed_home_12m",
    "p10_en_linea": "harassed_online_12m",
    "p11_discriminacion": "discriminated_12m",
    "p12_contacto": "contact_official_12m",
    "p12_soborno": "bribe_paid_12m",
    "p12_le_pidieron": "bribe_asked_12m",
    "p15_parada_cerca": "near_public_transport",
}
#: Column → role that is a number, asked of victims only.
NUMBERS = {"p5_veces": "robberies_12m", "p6_veces": "thefts_12m", "p7_veces": "assaults_12m"}
#: Column → role, and the codes of the answers that mean yes and no, with their shares.
SCALES: dict[str, tuple[str, dict[int, float], dict[int, float]]] = {
    "p1_segura_noche": ("safe_walking_dark", {1: 0.3, 2: 0.7}, {3: 0.65, 4: 0.35}),
    "p2_segura_dia": ("safe_walking_day", {1: 0.45, 2: 0.55}, {3: 0.75, 4: 0.25}),
    "p13_voz": ("decisions_inclusive", {3: 0.6, 4: 0.3, 5: 0.1}, {1: 0.45, 2: 0.55}),
    "p14_influencia": ("decisions_responsive", {3: 0.6, 4: 0.3, 5: 0.1}, {1: 0.5, 2: 0.5}),
}


def write_survey(folder: Path, sample: Sample, seed: int) -> None:
    """Write the interviews, with some more whose weight cannot be, in the order of their numbers."""
    rng = np.random.default_rng([seed, 2001])
    columns = _people(rng, sample) | _answers(rng, sample)
    extra = rng.choice(len(sample), _extra_rows(), replace=False)
    rows = np.concatenate([np.arange(len(sample)), extra])
    table = pa.table(columns).take(pa.array(rows))
    table = table.set_column(0, "factor", _weights(sample.weight, extra))
    order = np.lexsort((rng.random(len(rows)), sample.year[rows]))
    number = pa.array([f"{index:05d}" for index in range(1, len(rows) + 1)])
    (folder / SURVEY).write_bytes(as_csv(table.take(pa.array(order)).add_column(0, "folio", number), ";"))


def _extra_rows() -> int:
    return sum(number for kind, number in MESS.items() if kind.startswith("weight_"))


def _weights(weight: np.ndarray, extra: np.ndarray) -> pa.Array:
    """The weights as text; those of the extra rows are missing, negative, or a word."""
    bad = {"weight_missing": "", "weight_negative": "-1", "weight_text": "pendiente"}
    words = [word for kind, word in bad.items() for _ in range(MESS[kind])]
    return pa.concat_arrays([decimal_comma(weight), pa.array(words)]) if len(extra) else decimal_comma(weight)


def _people(rng: np.random.Generator, sample: Sample) -> dict[str, np.ndarray]:
    """Columns of the design and of the person; the first is a place for the weights."""
    city = ground()
    sex, _, income, orientation, migration, disability = sample.kind.T + 1
    return {
        "factor": sample.weight,
        "ola": sample.year,
        "distrito": np.array(city.district_codes)[sample.district],
        "barrio": np.array(city.codes)[sample.place],
        "manzana": sample.block + 1,
        "sexo": sex,
        "edad": sample.age,
        "quintil": forget(rng, income, MESS["unknown_income"], 9),
        "orientacion": forget(rng, orientation, MESS["unknown_orientation"], 9),
        "nacido_fuera": 3 - migration,
        "discapacidad": forget(rng, 3 - disability, MESS["unknown_disability"], 9),
    }


def _answers(rng: np.random.Generator, sample: Sample) -> dict[str, pa.Array]:
    columns: dict[str, pa.Array] = {}
    for column, (role, yes, no) in SCALES.items():
        code = np.where(sample.answers[role] == 1, _pick(rng, yes, len(sample)), _pick(rng, no, len(sample)))
        columns[column] = _coded(rng, sample, role, code)
    for column, role in QUESTIONS.items():
        columns[column] = _coded(rng, sample, role, 2 - sample.answers[role])
    for column, role in NUMBERS.items():
        number = np.nan_to_num(sample.answers[role])
        columns[column] = pa.array(number.astype(int), mask=number == 0)
    return {name: columns[name] for name in sorted(columns, key=_question)}


def _question(column: str) -> int:
    return int(column[1:].split("_")[0])


def _pick(rng: np.random.Generator, shares: Mapping[int, float], size: int) -> np.ndarray:
    return rng.choice(list(shares), size, p=list(shares.values()))


def _coded(rng: np.random.Generator, sample: Sample, role: str, code: np.ndarray) -> pa.Array:
    """Codes of the answers, 8 or 9 where the person does not know or say; missing where not asked."""
    unknown = sample.not_known[role]
    codes = np.where(unknown, rng.choice([8, 9], len(sample), p=[0.7, 0.3]), np.nan_to_num(code))
    return pa.array(codes.astype(int), mask=np.isnan(sample.answers[role]) & ~unknown)
