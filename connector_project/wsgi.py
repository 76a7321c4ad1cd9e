"""What gunicorn serves. A configuration that can't be used ends the process with sentences, not with a traceback."""

import os
import sys

from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections

from connector_project.env import ConfigError


def _start() -> WSGIHandler:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "connector_project.settings")
    try:
        application = get_wsgi_application()
    except ConfigError as error:
        sys.stderr.write(error.report() + "\n")
        sys.exit(2)
    from syncapp.startup import NotReady, check_ready  # needs the settings to be there

    try:
        check_ready()
    except NotReady as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    connections.close_all()  # gunicorn forks its workers from here
    return application


application = _start()
