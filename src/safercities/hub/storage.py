"""How the files of the pages are named: after their content, so that browsers may keep them for good."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Names with a hash once `collectstatic` has run; until then the plain ones, which work as well."""

    manifest_strict = False

    def stored_name(self, name: str) -> str:
        """The name under which a file is served."""
        try:
            return str(super().stored_name(name))
        except ValueError:  # not collected
            return name
