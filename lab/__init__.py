"""The lab: a small Exchange and a small Nextcloud, each a process of its own with its own SQLite file.

The lab is a stranger to the connector: nothing here imports the sides, codecs or engine, and nothing in the
connector imports the lab (docs/architecture.md).
"""
