"""The hub's settings for tests: in a new home, with fast passwords. pytest reads them before it looks for tests."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

from safercities.hub import options as _options

_HOME = tempfile.mkdtemp(prefix="safercities-hub-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
_DATABASE = os.environ.get("SAFERCITIES_TEST_DATABASE_URL", "")  # PostgreSQL: the same tests on it
for _option in _options.OPTIONS:  # what is set in the shell is none of the tests' business
    os.environ.pop(_options.PREFIX + _option.name, None)
os.environ["SAFERCITIES_HUB_HOME"] = _HOME
if _DATABASE:
    os.environ["SAFERCITIES_DATABASE_URL"] = _DATABASE

from safercities.hub.settings import *  # noqa: E402, F403

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
