"""The settings of tests: a fixed configuration of their own; a developer's ``.env`` is not read."""

import base64
import os

os.environ.update(
    ENV_FILE=os.devnull,
    SECRET_KEY="tests only " * 4,
    ENCRYPTION_KEY=base64.b64encode(b"0123456789abcdef0123456789abcdef").decode(),
    NEXTCLOUD_URL="http://127.0.0.1:9",
    NEXTCLOUD_ADMIN_USER="admin",
    NEXTCLOUD_ADMIN_PASSWORD="admin-password",
    SHARED_SECRET="a shared secret",
    EXCHANGE_URL="http://127.0.0.1:9/EWS/Exchange.asmx",
    ALLOW_HTTP="yes",
    DATABASE_URL=os.environ.get("TEST_DATABASE_URL", "sqlite://:memory:"),
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
    LOG_LEVEL="INFO",
)

from connector_project.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AXES_ENABLED = False
