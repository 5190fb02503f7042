"""The WSGI application that the server runs: `safercities.hub.wsgi:application`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "safercities.hub.settings")

_django = get_wsgi_application()

from safercities.hub.front import Front  # noqa: E402 (what it needs can be read once Django is ready)

application = Front(_django)
