"""Exchange through EWS. exchangelib carries, our codecs translate.

Reading order: ``xml`` (elements), ``errors`` (what server codes mean), ``connection`` (one mailbox seen with one
service account), ``operations`` (one function per EWS operation), ``times``, ``patterns``, ``recurrence``, ``uids``,
``native`` (the stored object), ``properties`` (what is asked for and set), ``events``, ``event_projection``,
``event_writing`` and ``contacts`` (the codecs), ``occurrences`` (writing the exceptions of a series), ``common`` (the
contract), ``event_side``, ``contact_side`` (what is particular to a kind), ``side`` (the way in).
"""
