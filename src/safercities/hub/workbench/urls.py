"""Addresses of the workbench."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from safercities.hub.workbench import create, files, home, members, publish_urls, settings_page, sources

app_name = "workbench"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.home, name="home"),
    path("new/", create.new, name="new"),
    path("<slug:slug>/", home.observatory, name="observatory"),
    path("<slug:slug>/check/", home.check, name="check"),
    path("<slug:slug>/measure/", home.measure, name="measure"),
    path("<slug:slug>/files/", files.files, name="files"),
    path("<slug:slug>/files/upload/", files.upload, name="upload"),
    path("<slug:slug>/files/<int:number>/", files.download, name="file"),
    path("<slug:slug>/files/<int:number>/remove/", files.remove, name="remove_file"),
    path("<slug:slug>/sources/", sources.sources, name="sources"),
    path("<slug:slug>/sources/<str:name>/", sources.source, name="source"),
    path("<slug:slug>/places/<int:number>/", sources.geography, name="geography"),
    path("<slug:slug>/settings/", settings_page.settings, name="settings"),
    path("<slug:slug>/members/", members.members, name="members"),
    path("<slug:slug>/members/invite/", members.invite, name="invite"),
    path("<slug:slug>/members/<int:number>/", members.change, name="member"),
    path("<slug:slug>/members/<int:number>/remove/", members.remove, name="remove_member"),
    *publish_urls.urlpatterns,
]
