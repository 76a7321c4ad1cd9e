"""The Nextcloud side: DAV, the codecs between its texts and items, and the consent app's client.

No Django, no models. Reading order: ``content_lines`` (iCalendar and vCard without loss), ``events`` and ``contacts``
(object ⇄ item), ``dav`` (HTTP), ``side`` (the contract); ``consent`` and ``token`` stand beside them.
"""
