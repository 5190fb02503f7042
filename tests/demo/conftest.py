"""One synthetic city for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from safercities.demo.city import build
from safercities.demo.truth import Truth


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """Folder and truth of the city of the default seed."""
    folder = tmp_path_factory.mktemp("city")
    return folder, build(folder)
