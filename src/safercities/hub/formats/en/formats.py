"""Short dates in English: 03/02/2026 is a day in February to some and in March to others."""

SHORT_DATE_FORMAT = "j M Y"
SHORT_DATETIME_FORMAT = "j M Y, H:i"
