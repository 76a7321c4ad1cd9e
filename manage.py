#!/usr/bin/env python
"""The command line of the connector."""

import os
import sys

from django.core.management import execute_from_command_line

from connector_project.env import ConfigError


def main() -> None:
    """Run the command; a configuration that can't be used ends with sentences, not with a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "connector_project.settings")
    if sys.argv[1:2] in (["bench"], ["chaos"], ["demo"], ["fidelity"], ["lab"], ["roundtrip"]):
        # The lab is not part of a production image; its commands bring a configuration of their own.
        from lab.environment import use

        use(sys.argv[1:])
    try:
        execute_from_command_line(sys.argv)
    except ConfigError as error:
        print(error.report(), file=sys.stderr)  # noqa: T201
        sys.exit(2)


if __name__ == "__main__":
    main()
