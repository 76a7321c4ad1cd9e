"""Databases of former schemas, brought up to date and synced."""
