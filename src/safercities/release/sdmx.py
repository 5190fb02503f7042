"""The SDMX files of a release: `data.csv` (SDMX-CSV 2.0) and `structure.xml` (SDMX-ML 3.0), written and read."""

from __future__ import annotations

from safercities.release.sdmx_data import WITHHELD as WITHHELD
from safercities.release.sdmx_data import read_data as read_data
from safercities.release.sdmx_data import write_data as write_data
from safercities.release.sdmx_meaning import Meaning as Meaning
from safercities.release.sdmx_meaning import read_structure as read_structure
from safercities.release.sdmx_structure import write_structure as write_structure
