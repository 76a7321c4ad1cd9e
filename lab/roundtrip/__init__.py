"""What a crossing leaves of people's items: ``python manage.py roundtrip``.

Each item goes Nextcloud → Exchange → Nextcloud on a fresh calendar or address book, and what came to Exchange goes on
to Exchange again. ``crossing`` drives the connector's sides against running servers; what there is before and after is
read by a ``kinds.Judge``, which shares nothing with the connector. A further kind of item is a further judge.
"""
