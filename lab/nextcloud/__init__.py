"""The lab Nextcloud: CalDAV, CardDAV and the consent app, with the traps measured on a real Nextcloud 32.

Start it with ``python -m lab.nextcloud --data FILE [--port N]`` or ``lab.process.start("lab.nextcloud", FILE)``.
What it imitates is written down in docs/server-behaviour.md; ``lab/nextcloud/control.py`` lists the ``/lab/...``
addresses with which tests and the demo arrange it.
"""
