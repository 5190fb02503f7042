"""`python -m safercities.hub worker`: does what takes time, until it is stopped."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from safercities.hub.jobs.working import work


class Command(BaseCommand):
    """Runs the jobs of the hub. Several workers may run at once, on one machine that holds the folders."""

    #: None: the checks would load all pages, which a worker never shows, and take two thirds of its start.
    requires_system_checks = ()
    help = "Run the jobs that wait, and look after those that lost their worker. Ctrl-C puts them back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How many at once."""
        parser.add_argument("--at-once", type=int, default=2, choices=range(1, 17), metavar="N", help="default: 2")
        parser.add_argument("--interval", type=float, default=1.0, help="seconds between two looks; default: 1")
        parser.add_argument("--batch", action="store_true", help="end when nothing waits")

    def handle(self, *args: Any, **options: Any) -> None:
        """Work."""
        work(lanes=options["at_once"], interval=options["interval"], batch=options["batch"])
