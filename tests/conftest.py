"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real data sets; they are not part of the project, so tests that need them skip without it."""
    folder = Path(os.environ.get("SAFERCITIES_SHARED", Path(__file__).parents[2] / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(
            "the real data sets are not on this machine (set SAFERCITIES_SHARED to the folder that holds data/)"
        )
    return folder
