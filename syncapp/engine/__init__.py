"""The engine: collect, read, decide, guard, apply. It knows models and the Side contract, and no concrete side.

Read in the order in which it runs: ``slice`` (the whole of one slice), ``collect``, ``match`` (who is whom),
``resolve`` (what was begun and not finished), ``decide`` (pure), ``guard``, ``apply``. The rules that are cited by number
are those of docs/architecture.md.
"""
