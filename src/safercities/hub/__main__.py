"""Django's management commands: `python -m safercities.hub <command>`."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command that the command line names."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "safercities.hub.settings")
    from django.core.management import execute_from_command_line

    from safercities.hub.options import OptionError

    try:
        execute_from_command_line(sys.argv)
    except OptionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
