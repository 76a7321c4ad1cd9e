"""Django's settings, from ``.env`` alone (``connector_project/env.py`` declares the variables)."""

from importlib.util import find_spec
from pathlib import Path

from connector_project import env, logs

_values = env.read()

BASE_DIR: Path = env.BASE_DIR
VERSION = "0.1.0"

# The connector ---------------------------------------------------------------------------------------------------

ENCRYPTION_KEYS: list[bytes] = [_values["ENCRYPTION_KEY"], *_values["ENCRYPTION_KEYS_OLD"]]
NEXTCLOUD_URL: str = _values["NEXTCLOUD_URL"]
NEXTCLOUD_ADMIN_USER: str = _values["NEXTCLOUD_ADMIN_USER"]
NEXTCLOUD_ADMIN_PASSWORD: str = _values["NEXTCLOUD_ADMIN_PASSWORD"]
SHARED_SECRET: str = _values["SHARED_SECRET"]
SHARED_SECRET_PREVIOUS: str = _values["SHARED_SECRET_PREVIOUS"]
CONNECTOR_URL: str = _values["CONNECTOR_URL"]
OAUTH_CLIENT_ID: str = _values["OAUTH_CLIENT_ID"]
OAUTH_CLIENT_SECRET: str = _values["OAUTH_CLIENT_SECRET"]
INVITATION_DAYS: int = _values["INVITATION_DAYS"]
EXCHANGE_URL: str = _values["EXCHANGE_URL"]
AUTODISCOVER_URL: str = _values["AUTODISCOVER_URL"]
AUTODISCOVER_DOMAINS: list[str] = _values["AUTODISCOVER_DOMAINS"]
TENANT_ID: str = _values["TENANT_ID"]
SERVICE_ACCOUNTS_FILE: Path = _values["SERVICE_ACCOUNTS_FILE"]
CA_FILE: Path | None = _values["CA_FILE"]
ALLOW_HTTP: bool = _values["ALLOW_HTTP"]
ADDRESSES_ARE_MANAGED: bool = _values["ADDRESSES_ARE_MANAGED"]
MAILBOX_DOMAINS: list[str] = _values["MAILBOX_DOMAINS"]
PILOT_USERS: list[str] = _values["PILOT_USERS"]
PILOT_GROUP: str = _values["PILOT_GROUP"]
PREVIEW_FIRST: bool = _values["PREVIEW_FIRST"]
SYNC_INTERVAL: int = _values["SYNC_INTERVAL"]
FULL_COMPARISON_HOURS: int = _values["FULL_COMPARISON_HOURS"]
REFRESH_INTERVAL: int = _values["REFRESH_INTERVAL"]
WINDOW_DAYS_BACK: int = _values["WINDOW_DAYS_BACK"]
WINDOW_DAYS_AHEAD: int = _values["WINDOW_DAYS_AHEAD"]
GUARD_DELETIONS: int = _values["GUARD_DELETIONS"]
GUARD_DELETIONS_PERCENT: int = _values["GUARD_DELETIONS_PERCENT"]
GUARD_OVERWRITES: int = _values["GUARD_OVERWRITES"]
GUARD_OVERWRITES_PERCENT: int = _values["GUARD_OVERWRITES_PERCENT"]
GUARD_CREATIONS: int = _values["GUARD_CREATIONS"]
GUARD_CREATIONS_PERCENT: int = _values["GUARD_CREATIONS_PERCENT"]
HOLD_DAYS: int = _values["HOLD_DAYS"]
HISTORY_DAYS: int = _values["HISTORY_DAYS"]
WORKERS: int = _values["WORKERS"]
FIRST_SYNCS: int = _values["FIRST_SYNCS"]
AWAY_DAYS: int = _values["AWAY_DAYS"]

# Django ----------------------------------------------------------------------------------------------------------

SECRET_KEY: str = _values["SECRET_KEY"]
DEBUG: bool = _values["DEBUG"]
ALLOWED_HOSTS: list[str] = _values["ALLOWED_HOSTS"]
CSRF_TRUSTED_ORIGINS: list[str] = _values["CSRF_TRUSTED_ORIGINS"]

INSTALLED_APPS = [
    # syncapp stands before django_q: its command qcluster checks the configuration before the cluster starts.
    "syncapp",
    "adminui",
    *[app for app in ("lab",) if find_spec(app)],  # not part of a production image
    "axes",
    "django_htmx",
    "django_q",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "connector_project.security.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "connector_project.urls"
WSGI_APPLICATION = "connector_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": _values["DATABASE_URL"]}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    Path(DATABASES["default"]["NAME"]).parent.mkdir(parents=True, exist_ok=True)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE: str = _values["TIME_ZONE"]

# WhiteNoise serves the files from where they are in the source: nothing has to be collected first.
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

# Signing in ------------------------------------------------------------------------------------------------------

LOGIN_URL = "adminui:sign-in"
LOGIN_REDIRECT_URL = "adminui:overview"
LOGOUT_REDIRECT_URL = "adminui:sign-in"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_LOCKOUT_TEMPLATE = "session/locked.html"

_over_tls = not (ALLOW_HTTP or DEBUG)
SESSION_COOKIE_SECURE = _over_tls
CSRF_COOKIE_SECURE = _over_tls
SESSION_COOKIE_AGE = 12 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# django-q2 is a clock and a starter; our own rows own the work (docs/server-behaviour.md, section 6.2).
Q_CLUSTER = {
    "name": "connector",
    "orm": "default",
    "workers": WORKERS + 1,  # one is free for the dispatcher while the others drain
    "timeout": 300,
    "retry": 360,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "poll": 1.0,
    "guard_cycle": 2.0,
    "recycle": 100,
    "catch_up": False,
    "label": "Jobs",
    "log_level": _values["LOG_LEVEL"],
}

LOGGING = logs.configuration(level=_values["LOG_LEVEL"], as_json=_values["LOG_JSON"])
