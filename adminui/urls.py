"""Addresses of the pages; they carry ids only, never anything about a person."""

from django.urls import path

from adminui.views import overview, runs, session, users

app_name = "adminui"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("sign-in/", session.SignIn.as_view(), name="sign-in"),
    path("sign-out/", session.SignOut.as_view(), name="sign-out"),
    path("users/<int:pk>/", users.user, name="user"),
    path("users/<int:pk>/approve/", users.approve, name="approve"),
    path("users/<int:pk>/sync-now/", users.sync_now, name="sync-now"),
    path("users/<int:pk>/held/", users.decide, name="decide"),
    path("runs/<int:pk>/", runs.run, name="run"),
]
