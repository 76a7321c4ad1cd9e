"""The settings of tests: a fixed configuration of their own; a developer's ``.env`` is not read."""

import atexit
import base64
import os
import shutil
import tempfile

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

from connector_project.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AXES_ENABLED = False

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # In memory, threads share one cache, where a reader fails at once with "table is locked" instead of waiting.
    _directory = tempfile.mkdtemp(prefix="connector-tests-")
    atexit.register(shutil.rmtree, _directory, ignore_errors=True)
    DATABASES["default"]["TEST"] = {"NAME": os.path.join(_directory, "tests.sqlite3")}  # noqa: F405
