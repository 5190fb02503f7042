"""The WSGI application that the server runs: `safercities.hub.wsgi:application`."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "safercities.hub.settings")

application = get_wsgi_application()
