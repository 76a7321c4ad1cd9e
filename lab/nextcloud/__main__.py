"""``python -m lab.nextcloud``: serve a lab Nextcloud until told to stop."""

from lab.nextcloud.app import create_app
from lab.process import run

if __name__ == "__main__":
    run(create_app, "A small Nextcloud: CalDAV, CardDAV, trash bin, consent app")
