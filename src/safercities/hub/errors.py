"""Pages for what went wrong. They say nothing of what is inside: not even whether something exists."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def _page(request: HttpRequest, status: int) -> HttpResponse:
    return render(request, f"hub/{status}.html", status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400: what was asked makes no sense."""
    return _page(request, 400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403: for members who lack the right."""
    return _page(request, 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: a form that did not come from one of our pages, or from one that is too old."""
    return render(request, "hub/403_csrf.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404: there is nothing, or nothing for whoever asks."""
    return _page(request, 404)


def broken(request: HttpRequest) -> HttpResponse:
    """500: our fault. The page asks nothing of the database."""
    return render(None, "hub/500.html", status=500)
