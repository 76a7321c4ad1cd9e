"""The Nextcloud side: DAV, the codecs between its texts and items, and the consent app's client.

No Django, no models. Reading order: ``content_lines``, ``parsing`` and ``text_values`` (iCalendar and vCard without
loss), ``events`` and ``contacts`` with what writes and projects them (object ⇄ item), ``http`` and ``dav`` (requests),
``side`` (the contract); ``consent`` and ``token`` stand beside them.
"""
