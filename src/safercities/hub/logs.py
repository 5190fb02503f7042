"""Logs: one JSON object a line. No e-mail, no address, no path or query of anybody: what others said is left out."""

from __future__ import annotations

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

#: The request that is being answered.
request_id: ContextVar[str] = ContextVar("request_id", default="")
#: Details that a line may carry, given as `extra={"facts": {…}}`: routes, counts, times, ids of jobs.
FACTS = "facts"


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON.

    The hub's own messages are written out. Those of other packages keep their `%s`: paths, addresses and keys would
    stand there. Of an error its kind and the way through the code are told, not its message: databases repeat values.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        own = record.name.startswith("safercities")
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage() if own else str(record.msg) if record.args else record.name,
        }
        if request_id.get():
            line["request"] = request_id.get()
        line |= getattr(record, FACTS, {})
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(record.exc_info[2])
            ]
        return json.dumps(line, ensure_ascii=False, default=str)
