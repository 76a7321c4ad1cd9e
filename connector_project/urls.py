"""Where the pages are."""

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = []
if find_spec("adminui") and find_spec("adminui.urls"):
    urlpatterns.append(path("", include("adminui.urls")))
