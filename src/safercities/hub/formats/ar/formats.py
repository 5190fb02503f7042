"""Short dates in Arabic: Django has none with a time, and would take that of the United States."""

SHORT_DATETIME_FORMAT = "d\u200f/m\u200f/Y H:i"
