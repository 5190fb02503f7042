"""Whether the hub lives and can work, for process managers and proxies. It tells nothing else."""

from __future__ import annotations

import logging
from functools import cache

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

log = logging.getLogger(__name__)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Whether the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether the database answers, in the form that this version needs."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        ready = migrated()
    except DatabaseError:
        log.exception("the database does not answer")
        ready = False
    return HttpResponse("ok\n" if ready else "not ready\n", content_type="text/plain", status=200 if ready else 503)


def migrated() -> bool:
    """Whether the database has the form that this version needs; once it has, for as long as this process runs."""
    if _seen_migrated.cache_info().currsize:
        return True
    executor = MigrationExecutor(connection)
    done = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _seen_migrated() if done else False


@cache
def _seen_migrated() -> bool:
    return True
