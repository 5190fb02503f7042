"""Short dates: in no language can the day be taken for the month."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import override

DAY = datetime(2026, 3, 2, 16, 7)


@pytest.mark.parametrize("language", [code for code, _ in settings.LANGUAGES])
@pytest.mark.parametrize("kind", ["SHORT_DATE_FORMAT", "SHORT_DATETIME_FORMAT"])
def test_a_day_is_no_month(language: str, kind: str) -> None:
    with override(language):
        said = date_format(DAY, kind)
    assert "2026" in said
    assert not said.startswith(("03", "3/"))
    assert ("16:07" in said) == (kind == "SHORT_DATETIME_FORMAT")
