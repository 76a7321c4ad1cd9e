"""Addresses of the pages; they carry ids only, never anything about a person. That of an invitation is a secret."""

from django.urls import path

from adminui.views import me, overview, runs, session, users

app_name = "adminui"

urlpatterns = [
    path("", overview.overview, name="overview"),
    path("sign-in/", session.SignIn.as_view(), name="sign-in"),
    path("sign-out/", session.SignOut.as_view(), name="sign-out"),
    path("users/<int:pk>/", users.user, name="user"),
    path("users/<int:pk>/approve/", users.approve, name="approve"),
    path("users/<int:pk>/sync-now/", users.sync_now, name="sync-now"),
    path("users/<int:pk>/held/", users.decide, name="decide"),
    path("me/", me.me, name="me"),
    path("me/sign-in/", me.sign_in, name="me-sign-in"),
    path("me/signed-in/", me.signed_in, name="me-signed-in"),
    path("me/sign-out/", me.sign_out, name="me-sign-out"),
    path("me/grant/", me.grant, name="me-grant"),
    path("me/retract/", me.retract, name="me-retract"),
    path("join/<str:secret>/", me.join, name="join"),
    path("runs/<int:pk>/", runs.run, name="run"),
]
