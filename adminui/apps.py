"""The Django application of the web pages."""

from django.apps import AppConfig


class AdminUiConfig(AppConfig):
    """Pages for admins."""

    name = "adminui"
