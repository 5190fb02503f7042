"""Addresses of jobs and what they made, previews, proposals, history and differences."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from safercities.hub.workbench import diff, history, job_pages, publish, results

urlpatterns: list[URLPattern | URLResolver] = [
    path("<slug:slug>/jobs/", job_pages.jobs, name="jobs"),
    path("<slug:slug>/jobs/<uuid:number>/", job_pages.job, name="job"),
    path("<slug:slug>/jobs/<uuid:number>/stop/", job_pages.stop, name="stop_job"),
    path("<slug:slug>/measured/<path:name>", results.result, name="result"),
    path("<slug:slug>/publish/", publish.page, name="publish"),
    path("<slug:slug>/publish/preview/", publish.preview, name="preview"),
    path("<slug:slug>/publish/figures/", publish.figures, name="figures"),
    path("<slug:slug>/publish/<int:number>/", publish.proposal, name="proposal"),
    path("<slug:slug>/publish/<int:number>/propose/", publish.propose, name="propose"),
    path("<slug:slug>/publish/<int:number>/decide/", publish.decide, name="decide"),
    path("<slug:slug>/publish/<int:number>/publish/", publish.go, name="publish_proposal"),
    path("<slug:slug>/history/", history.history, name="history"),
    path("<slug:slug>/diff/<int:a>/<int:b>/", diff.diff, name="diff"),
    path("<slug:slug>/diff/<int:a>/<int:b>/compare/", diff.compare, name="compare"),
]
