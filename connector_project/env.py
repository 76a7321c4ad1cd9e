"""Every variable of ``.env``: declared once, read with django-environ, checked before anything starts.

``read()`` returns the values by name, or raises ``ConfigError`` whose text names each variable that is wrong, says
what is wrong with it and shows an example. ``.env.example`` documents the same table; a test holds the two together.
Variables of the process's environment win over the file. ``ENV_FILE`` names another file to read.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import textwrap
import zoneinfo
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from syncapp.crypto import parse_key

BASE_DIR: Path = Path(__file__).resolve().parent.parent
_LINE = re.compile(r"\s*(#.*)?|(export )?(?P<name>[A-Za-z_][A-Za-z_0-9]*)=.*")


class ConfigError(ImproperlyConfigured):
    """The configuration can't be used. ``sentences`` say why, one for each variable."""

    def __init__(self, sentences: list[str]) -> None:
        self.sentences = sentences
        super().__init__("\n".join(sentences))

    def report(self) -> str:
        """What a command prints before it stops."""
        return "\n".join(["The connector cannot start with this configuration (.env):", *self.sentences])


# Types: each turns the text of a variable into its value, or raises ValueError with the end of a sentence ------------


def text(value: str) -> str:
    """Any text."""
    return value


def secret(value: str) -> str:
    """A text that must not be short enough to be guessed."""
    if len(value) < 8:
        raise ValueError("is too short to be a secret; it needs at least 8 characters")
    return value


def optional_secret(value: str) -> str:
    """Such a text, or none."""
    return secret(value) if value else ""


def signing_key(value: str) -> str:
    """Django's key for sessions and forms."""
    if len(value) < 32:
        raise ValueError("is too short; it needs at least 32 random characters")
    return value


def encryption_key(value: str) -> bytes:
    """32 bytes in base64."""
    try:
        return parse_key(value)
    except ValueError as error:
        raise ValueError(f"is not a key of 32 bytes in base64: {error}") from error


def encryption_keys(value: str) -> list[bytes]:
    """Several such keys, separated by commas."""
    return [encryption_key(part) for part in words(value)]


def flag(value: str) -> bool:
    """Yes or no; an unknown word is not silently "no"."""
    word = value.strip().lower()
    if word in {"true", "yes", "on", "1"}:
        return True
    if word in {"false", "no", "off", "0", ""}:
        return False
    raise ValueError("is neither yes nor no")


def words(value: str) -> list[str]:
    """A list separated by commas."""
    return [part.strip() for part in value.split(",") if part.strip()]


def domains(value: str) -> list[str]:
    """Mail domains, in lower case."""
    names = [name.lower() for name in words(value)]
    if any("@" in name for name in names):
        raise ValueError("holds an address; only the part after the @ is wanted")
    return names


def url(value: str) -> str:
    """An address of a web server, without the slash at its end."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is not an address that begins with https:// and names a server")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold neither credentials nor a query")
    return value.rstrip("/")


def origins(value: str) -> list[str]:
    """Web addresses as a browser names their origin."""
    return [url(part) for part in words(value)]


def number(least: int, most: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def parse(value: str) -> int:
        try:
            found = int(value)
        except ValueError as error:
            raise ValueError("is not a whole number") from error
        if not least <= found <= most:
            raise ValueError(f"must be between {least} and {most}")
        return found

    return parse


def time_zone(value: str) -> str:
    """A zone of the IANA data base."""
    if value not in zoneinfo.available_timezones():
        raise ValueError("is not the name of a time zone")
    return value


def level(value: str) -> str:
    """A level of logging."""
    if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("is none of DEBUG, INFO, WARNING, ERROR")
    return value.upper()


def path(value: str) -> Path:
    """A file, relative to the directory of manage.py."""
    return BASE_DIR / value


def certificates(value: str) -> Path | None:
    """A file that exists, or nothing."""
    if not value:
        return None
    found = path(value)
    if not found.is_file():
        raise ValueError("names a file that is not there")
    return found


_SQLITE = {
    # Only all four together keep writers from failing with "database is locked" (docs/server-behaviour.md, 6.3).
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}


def database(value: str) -> dict[str, Any]:
    """Django's description of a SQLite or PostgreSQL database."""
    if urlsplit(value).scheme not in environ.Env.DB_SCHEMES:
        raise ValueError("is not the address of a database")
    try:
        found = dict(environ.Env.db_url_config(value))
    except (ImproperlyConfigured, ValueError, KeyError) as error:
        raise ValueError("is not the address of a database") from error
    # Whoever polls would otherwise open the database anew each time, which takes longer than the question.
    found["CONN_MAX_AGE"] = 600
    if found["ENGINE"].endswith("sqlite3"):
        name = str(found["NAME"])
        return found | {"NAME": name if name == ":memory:" else str(path(name)), "OPTIONS": dict(_SQLITE)}
    if found["ENGINE"].endswith("postgresql"):
        return found | {"CONN_HEALTH_CHECKS": True}
    raise ValueError("names a database that is neither SQLite nor PostgreSQL")


# The table -------------------------------------------------------------------------------------------------------

REQUIRED = None


@dataclass(frozen=True)
class Variable:
    """One variable. ``default`` is text as in the file; ``REQUIRED`` means that there is none."""

    name: str
    parse: Callable[[str], Any]
    default: str | None
    meaning: str
    example: str


VARIABLES: tuple[Variable, ...] = (
    Variable("SECRET_KEY", signing_key, REQUIRED, "Signs sessions and forms. 32 random characters or more.",
             "the output of: openssl rand -base64 48"),
    Variable("ENCRYPTION_KEY", encryption_key, REQUIRED,
             "Encrypts tokens, passwords and history in the database. 32 random bytes in base64. Keep a copy: "
             "without it the stored secrets are lost.", "the output of: openssl rand -base64 32"),
    Variable("ENCRYPTION_KEYS_OLD", encryption_keys, "",
             "Earlier values of ENCRYPTION_KEY, separated by commas: they still open what they have sealed.", ""),
    Variable("NEXTCLOUD_URL", url, REQUIRED, "Where Nextcloud is.", "https://cloud.example.org"),
    Variable("NEXTCLOUD_ADMIN_USER", text, "",
             "With the consent app: a member of Nextcloud's group admin, who may read the list of people who "
             "consented.", "connector"),
    Variable("NEXTCLOUD_ADMIN_PASSWORD", text, "", "An app password of that user.", "xxxxx-xxxxx-xxxxx"),
    Variable("SHARED_SECRET", optional_secret, "",
             "The secret that was entered in the settings of the consent app: it encrypts people's tokens. Empty: "
             "there is no consent app.", "a long random text"),
    Variable("SHARED_SECRET_PREVIOUS", text, "", "Its former value, while it is being replaced.", ""),
    Variable("CONNECTOR_URL", url, "",
             "Where people reach the connector's own pages, to give consent there. Empty: they can't.",
             "https://connector.example.org"),
    Variable("OAUTH_CLIENT_ID", text, "",
             "The client that was added in Nextcloud (Administration settings, Security, OAuth 2.0) for people who "
             "sign in on these pages. Empty: only who was invited gets in.", "64 letters and digits"),
    Variable("OAUTH_CLIENT_SECRET", text, "", "The secret of that client.", "64 letters and digits"),
    Variable("INVITATION_DAYS", number(1, 365), "7", "How many days the link of an invitation works.", "7"),
    Variable("EXCHANGE_URL", url, "",
             "The EWS endpoint of Exchange, for service accounts that name none of their own. Empty: autodiscover "
             "tells where each mailbox is.", "https://mail.example.org/EWS/Exchange.asmx"),
    Variable("AUTODISCOVER_URL", url, "",
             "The server to ask where a mailbox is. Empty: https://autodiscover.DOMAIN and https://DOMAIN, for "
             "applications https://outlook.office365.com.", "https://mail.example.org"),
    Variable("AUTODISCOVER_DOMAINS", domains, "",
             "Domains, separated by commas, to whose servers autodiscover may lead besides the mailbox's own: they get "
             "the passwords of service accounts.", "hoster.example"),
    Variable("TENANT_ID", text, "",
             "The directory (tenant) of Microsoft 365, for applications that name none of their own: its id or one of "
             "its domains.", "contoso.onmicrosoft.com"),
    Variable("SERVICE_ACCOUNTS_FILE", path, "admins.json",
             'Service accounts: a JSON list of {"Username": ..., "Password": ...} or {"AppId": ..., "ClientSecret": '
             "...}; docs/service-accounts.md names all keys.", "admins.json"),
    Variable("CA_FILE", certificates, "",
             "Certificates of authorities (PEM) to check both servers against, in place of the usual "
             "ones.", "/etc/ssl/certs/our-ca.pem"),
    Variable("ALLOW_HTTP", flag, "no",
             "For the lab only: talk to servers without TLS, and let browsers sign in without it.", "no"),
    Variable("ADDRESSES_ARE_MANAGED", flag, "no",
             "Say yes only if people cannot change their own e-mail address in Nextcloud: new people then start "
             "without an approval.", "no"),
    Variable("MAILBOX_DOMAINS", domains, "",
             "Mail domains of the mailboxes, separated by commas: people with an address elsewhere always wait for an "
             "approval. Empty: all domains.", "example.org,example.com"),
    Variable("PILOT_USERS", words, "",
             "User ids in Nextcloud, separated by commas: if these or PILOT_GROUP are given, nobody else begins. "
             "Whoever syncs already goes on.", "anna,ben"),
    Variable("PILOT_GROUP", text, "", "A group in Nextcloud whose members belong to the pilot, too.", "sync-pilot"),
    Variable("PREVIEW_FIRST", flag, "no",
             "Say yes to have the first sync of every new person wait until an admin has seen what it would do and "
             "approved it: python manage.py preview USER", "no"),
    Variable("SYNC_INTERVAL", number(1, 86_400), "300", "Seconds between two looks at a person's items.", "300"),
    Variable("FULL_COMPARISON_HOURS", number(1, 720), "6",
             "Hours between two comparisons of all items of a person, which find what a server did not tell.", "6"),
    Variable("REFRESH_INTERVAL", number(5, 86_400), "600",
             "Seconds between two readings of Nextcloud's list of people.", "600"),
    Variable("WINDOW_DAYS_BACK", number(0, 36_500), "30",
             "Events that ended longer ago are left out of a first sync.", "30"),
    Variable("WINDOW_DAYS_AHEAD", number(0, 36_500), "365",
             "Events that begin later than this are left out of a first sync.", "365"),
    Variable("GUARD_DELETIONS", number(0, 1_000_000), "20",
             "More deletions than this in a folder within a day wait for an approval.", "20"),
    Variable("GUARD_DELETIONS_PERCENT", number(0, 100), "20",
             "So do ten or more that are a larger share of the folder's items than this.", "20"),
    Variable("GUARD_OVERWRITES", number(0, 1_000_000), "200",
             "If more existing items than this are changed on one side within a day, they wait for an approval before "
             "the other side is overwritten.", "200"),
    Variable("GUARD_OVERWRITES_PERCENT", number(0, 100), "50",
             "So do 25 or more that are a larger share of the folder's items than this.", "50"),
    Variable("GUARD_CREATIONS", number(0, 1_000_000), "500",
             "More new items than this in a folder within a day wait for an approval; a first sync never does.", "500"),
    Variable("GUARD_CREATIONS_PERCENT", number(0, 100), "40",
             "So do 100 or more that are a larger share of all items than this, where 100 were before.", "40"),
    Variable("HOLD_DAYS", number(0, 3_650), "14",
             "How many days such a decision is waited for. Then deletions are undone, and what would be created or "
             "overwritten stays as it is. 0: for ever.", "14"),
    Variable("HISTORY_DAYS", number(0, 3_650), "30",
             "How many days what was overwritten or deleted can be restored. 0: nothing is kept.", "30"),
    Variable("WORKERS", number(1, 64), "2", "How many people are synced at the same time, by all workers.", "2"),
    Variable("FIRST_SYNCS", number(0, 64), "0",
             "How many of them may be first syncs, so that others do not wait for these. 0: all.", "1"),
    Variable("AWAY_DAYS", number(1, 3_650), "30",
             "How many days after somebody left, or was last listed, everything that is remembered of them is deleted. "
             "What was copied stays where it is.", "30"),
    Variable("DATABASE_URL", database, "sqlite:///var/connector.sqlite3",
             "The database: SQLite in a file, or PostgreSQL. Special characters in the password are written as %XX.",
             "postgres://connector:password@localhost:5432/connector"),
    Variable("ALLOWED_HOSTS", words, "localhost,127.0.0.1,[::1]",
             "Names under which browsers reach the connector, separated by commas.", "connector.example.org"),
    Variable("CSRF_TRUSTED_ORIGINS", origins, "",
             "The same with https://, needed behind a proxy that ends TLS.", "https://connector.example.org"),
    Variable("TIME_ZONE", time_zone, "UTC", "The time zone of the pages.", "Europe/Vienna"),
    Variable("LOG_LEVEL", level, "INFO", "How much is logged: DEBUG, INFO, WARNING or ERROR.", "INFO"),
    Variable("LOG_JSON", flag, "no", "Log one JSON object per line.", "no"),
    Variable("DEBUG", flag, "no", "For developers only: show tracebacks in the browser.", "no"),
)  # fmt: skip


# Reading ---------------------------------------------------------------------------------------------------------


def _load_file(file: Path) -> None:
    """Put the file's variables into the environment; django-environ would skip lines that it can't read."""
    if not file.is_file():
        return
    for position, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise ConfigError([f"- Line {position} of {file} is not NAME=value (no spaces around the =)."])
        if (name := match["name"]) and (meant := _misspelt(name)):
            raise ConfigError([f"- Line {position} of {file}: {name} means nothing here; is {meant} meant?"])
    environ.Env.read_env(file)


def _misspelt(name: str) -> str:
    """The variable that was probably meant; "" for one of ours, and for somebody else's (compose reads .env, too)."""
    names = [variable.name for variable in VARIABLES]
    close = [] if name in names else difflib.get_close_matches(name, names, n=1, cutoff=0.85)
    return close[0] if close else ""


def parse(environment: Mapping[str, str]) -> dict[str, Any]:
    """The values of all variables by name. Raises ``ConfigError`` naming every variable that is wrong."""
    values: dict[str, Any] = {}
    sentences: list[str] = []
    for variable in VARIABLES:
        given = environment.get(variable.name, "").strip() or variable.default
        example = f" Example: {variable.example}" if variable.example else ""
        if given is None:
            sentences.append(f"- {variable.name} is missing. {variable.meaning}{example}")
            continue
        try:
            values[variable.name] = variable.parse(given) if given else _empty(variable)
        except ValueError as error:
            sentences.append(f"- {variable.name} {error}.{example}")
    sentences += _consent(values)
    for name in ("NEXTCLOUD_URL", "EXCHANGE_URL", "AUTODISCOVER_URL", "CONNECTOR_URL"):
        if str(values.get(name, "")).startswith("http://") and not values.get("ALLOW_HTTP"):
            sentences.append(f"- {name} begins with http://, which would send passwords in clear. Use https://.")
    if sentences:
        raise ConfigError(sentences)
    return values


_CONSENT_APP = ("SHARED_SECRET", "NEXTCLOUD_ADMIN_USER", "NEXTCLOUD_ADMIN_PASSWORD")
_OAUTH = ("OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET")


def _consent(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with the ways in which people may give consent."""
    sentences = []
    for names in (_CONSENT_APP, _OAUTH):
        if any(values.get(name) for name in names):
            together = " and ".join(names)
            sentences += [f"- {name} is missing: {together} go together." for name in names if values.get(name) == ""]
    if values.get("OAUTH_CLIENT_ID") and not values.get("CONNECTOR_URL"):
        sentences.append("- CONNECTOR_URL is missing: people sign in on the connector's pages, which need an address.")
    if values.get("SHARED_SECRET") == "" and values.get("CONNECTOR_URL") == "":
        sentences.append(
            "- Nobody could give consent: fill in SHARED_SECRET, NEXTCLOUD_ADMIN_USER and NEXTCLOUD_ADMIN_PASSWORD for "
            "the consent app, or CONNECTOR_URL for the connector's own pages."
        )
    return sentences


def _empty(variable: Variable) -> Any:
    """The value of an optional variable that is left empty."""
    return "" if variable.parse in (url, text, optional_secret) else variable.parse("")


def read() -> dict[str, Any]:
    """Read ``.env`` (or the file that ENV_FILE names) and the environment. Raises ``ConfigError``."""
    _load_file(BASE_DIR / os.environ.get("ENV_FILE", ".env"))
    return parse(os.environ)


# Documentation ---------------------------------------------------------------------------------------------------

_HEAD = """\
# The configuration of the connector: copy this file to .env and fill in what has no value.
# Values stand as they are, without quotes. What is commented out shows the default.
# Made from connector_project/env.py by: python -m connector_project.env > .env.example
"""


def example_file() -> str:
    """The text of ``.env.example``."""
    return _HEAD + "".join(f"\n{_documented(variable)}" for variable in VARIABLES)


def _documented(variable: Variable) -> str:
    lines = [f"# {line}" for line in textwrap.wrap(variable.meaning, 116)]
    if variable.example and variable.example != variable.default:
        lines.append(f"# Example: {variable.example}")
    assignment = f"{variable.name}={variable.default or ''}"
    lines.append(assignment if variable.default is REQUIRED else f"# {assignment}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(example_file())
