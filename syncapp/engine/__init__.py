"""The engine: collect, read, decide, guard, apply. It knows models and the Side contract, and no concrete side.

Read in the order in which it runs: ``slice`` (the whole of one slice), ``collect``, ``match`` (who is whom),
``process`` (what becomes of each link, with ``read``, ``resolve`` for what was begun and not finished, ``decide``,
which is pure, ``guard`` and ``apply``). The rules that are cited by number are those of docs/architecture.md.
"""
