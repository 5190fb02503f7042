"""What Prometheus reads of a running hub: requests by view, jobs by state, the age of figures. Nobody's path or name.

Counts are those of the process that answers; `serve` runs one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from django.conf import settings
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from safercities.hub.figures.current import POINTER
from safercities.hub.models import Job, Observatory
from safercities.hub.published import index

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
HERE = ("127.0.0.1", "::1")
REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "safercities_requests", "Requests that were answered.", ["view", "method", "status"], registry=REGISTRY
)
SECONDS = Histogram(
    "safercities_request_seconds",
    "Seconds until the head of the answer.",
    ["view"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
ProcessCollector(registry=REGISTRY)


class Measured:
    """Counts and times requests by the name of the view that answered. Unknown addresses share one name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and count it."""
        began = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        view = (match.view_name if match else "") or "none"
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(view, method, str(response.status_code)).inc()
        SECONDS.labels(view).observe(time.perf_counter() - began)
        return response


class State(Collector):
    """What the database and the disk say at the moment of asking."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Jobs by state, and how old the figures of each observatory are."""
        jobs = GaugeMetricFamily("safercities_jobs", "Jobs in each state.", labels=["state"])
        found = dict(Job.objects.order_by().values_list("state").annotate(Count("pk")))
        for state in Job.State.values:
            jobs.add_metric([state], found.get(state, 0))
        yield jobs
        ages = GaugeMetricFamily(
            "safercities_figures_age_seconds", "Seconds since the published figures were made.", labels=["observatory"]
        )
        for observatory in Observatory.objects.all():
            pointer = index(observatory) / POINTER
            if pointer.is_file():
                ages.add_metric([observatory.slug], max(0.0, time.time() - pointer.stat().st_mtime))
        yield ages


REGISTRY.register(State())


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers, for those who may read them; for others there is no such page."""
    if not may_read(request):
        raise Http404
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def may_read(request: HttpRequest) -> bool:
    """Whether the word is right; without one, whether it is this machine, of a hub that no other reaches.

    Behind a proxy that was not named as trusted everybody seems to be this machine: so where others reach the hub, a
    word has to be set.
    """
    if settings.METRICS_TOKEN:
        kind, _, word = request.headers.get("Authorization", "").partition(" ")
        return kind.lower() == "bearer" and constant_time_compare(word.strip(), settings.METRICS_TOKEN)
    return not settings.REACHED_BY_OTHERS and request.META.get("REMOTE_ADDR") in HERE
