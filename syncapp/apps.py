"""The Django application of the core."""

from django.apps import AppConfig


class SyncAppConfig(AppConfig):
    """Models and jobs of the connector."""

    name = "syncapp"
    default_auto_field = "django.db.models.BigAutoField"
