"""An index of the small city, made once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from hub.figures.made_chain import City, full_city, in_force
from safercities.hub.figures import Figures, build, store


@dataclass(frozen=True)
class Made:
    """The city, its index, and the rows that must be in it."""

    city: City
    index: Path
    figures: Figures
    expected: pa.Table


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Read only."""
    folder = tmp_path_factory.mktemp("figures")
    city, index = full_city(folder), folder / "index"
    chain = city.chain
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "CHUNK", 20)  # several tables, as a large index has
        build(index, chain)
    return Made(city, index, Figures.open(index), in_force(chain))
