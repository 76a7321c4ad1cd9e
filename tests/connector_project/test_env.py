"""The configuration: what is read, what is refused, and in which words."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from connector_project import env

MINIMAL = {
    "SECRET_KEY": "s" * 40,
    "ENCRYPTION_KEY": base64.b64encode(b"k" * 32).decode(),
    "NEXTCLOUD_URL": "https://cloud.example.org/",
    "NEXTCLOUD_ADMIN_USER": "connector",
    "NEXTCLOUD_ADMIN_PASSWORD": "xxxxx-xxxxx",
    "SHARED_SECRET": "a long secret",
}


def refused(**changes: str) -> list[str]:
    """The sentences with which a configuration is refused."""
    with pytest.raises(env.ConfigError) as caught:
        env.parse(MINIMAL | changes)
    return caught.value.sentences


def test_it_takes_the_required_variables_and_fills_in_defaults() -> None:
    values = env.parse(MINIMAL)
    assert values["NEXTCLOUD_URL"] == "https://cloud.example.org"
    assert values["ENCRYPTION_KEY"] == b"k" * 32
    assert values["SYNC_INTERVAL"] == 300
    assert values["ALLOW_HTTP"] is False
    assert set(values) == {variable.name for variable in env.VARIABLES}


def test_it_names_every_variable_that_is_missing_with_an_example() -> None:
    with pytest.raises(env.ConfigError) as caught:
        env.parse({})
    report = caught.value.report()
    for variable in env.VARIABLES:
        assert (f"- {variable.name} is missing" in report) == (variable.default is env.REQUIRED)
    assert "https://cloud.example.org" in report


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SECRET_KEY", "short", "too short"),
        ("ENCRYPTION_KEY", "bm90IDMyIGJ5dGVz", "32 bytes"),
        ("ENCRYPTION_KEY", "ä", "base64"),
        ("ENCRYPTION_KEYS_OLD", "abc", "base64"),
        ("NEXTCLOUD_URL", "cloud.example.org", "https://"),
        ("NEXTCLOUD_URL", "https://admin:secret@cloud.example.org", "credentials"),
        ("NEXTCLOUD_URL", "http://cloud.example.org", "in clear"),
        ("EXCHANGE_URL", "http://mail.example.org/EWS/Exchange.asmx", "in clear"),
        ("DEBUG", "maybe", "neither yes nor no"),
        ("SYNC_INTERVAL", "often", "whole number"),
        ("WORKERS", "0", "between 1 and 64"),
        ("TIME_ZONE", "Vienna", "time zone"),
        ("LOG_LEVEL", "loud", "DEBUG"),
        ("CA_FILE", "not/there.pem", "not there"),
        ("MAILBOX_DOMAINS", "me@example.org", "after the @"),
        ("DATABASE_URL", "mysql://localhost/x", "neither SQLite nor PostgreSQL"),
        ("DATABASE_URL", "connector", "address of a database"),
    ],
)
def test_it_refuses_a_wrong_value_in_a_sentence_that_names_the_variable(name: str, value: str, said: str) -> None:
    (sentence,) = refused(**{name: value})
    assert sentence.startswith(f"- {name} ")
    assert said in sentence


PAGES = {"CONNECTOR_URL": "https://connector.example.org"}
NO_APP = {"SHARED_SECRET": "", "NEXTCLOUD_ADMIN_USER": "", "NEXTCLOUD_ADMIN_PASSWORD": ""}


def test_one_way_of_giving_consent_is_enough() -> None:
    assert env.parse(MINIMAL | NO_APP | PAGES)["SHARED_SECRET"] == ""
    assert env.parse(MINIMAL | PAGES)["CONNECTOR_URL"] == PAGES["CONNECTOR_URL"]
    (sentence,) = refused(**NO_APP)
    assert sentence.startswith("- Nobody could give consent")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"NEXTCLOUD_ADMIN_USER": ""}, "NEXTCLOUD_ADMIN_USER"),
        ({"SHARED_SECRET": ""} | PAGES, "SHARED_SECRET"),
        ({"OAUTH_CLIENT_ID": "x"} | PAGES, "OAUTH_CLIENT_SECRET"),
        ({"OAUTH_CLIENT_ID": "x", "OAUTH_CLIENT_SECRET": "y"}, "CONNECTOR_URL"),
    ],
)
def test_what_goes_together_is_asked_for_together(changes: dict[str, str], name: str) -> None:
    (sentence,) = refused(**changes)
    assert sentence.startswith(f"- {name} is missing: ")


def test_a_refusal_does_not_repeat_secrets() -> None:
    assert "tiny" not in "".join(refused(SHARED_SECRET="tiny", ENCRYPTION_KEY="tiny"))


def test_the_lab_may_use_http() -> None:
    assert env.parse(MINIMAL | {"NEXTCLOUD_URL": "http://127.0.0.1:80", "ALLOW_HTTP": "yes"})["ALLOW_HTTP"] is True


def test_sqlite_is_tuned_and_relative_to_the_project() -> None:
    found = env.parse(MINIMAL)["DATABASE_URL"]
    assert found["NAME"] == str(env.BASE_DIR / "var/connector.sqlite3")
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert found["OPTIONS"]["timeout"] == 20
    assert "journal_mode=WAL" in found["OPTIONS"]["init_command"]
    assert "synchronous=NORMAL" in found["OPTIONS"]["init_command"]


def test_postgresql_keeps_its_password_with_special_characters() -> None:
    found = env.parse(MINIMAL | {"DATABASE_URL": "postgres://me:p%40ss@db.example.org:5433/connector"})["DATABASE_URL"]
    assert (found["HOST"], found["PORT"], found["PASSWORD"]) == ("db.example.org", 5433, "p@ss")


@pytest.mark.parametrize("address", ["sqlite:///var/x.sqlite3", "postgres://me@db.example.org/connector"])
def test_connections_to_the_database_outlive_a_question(address: str) -> None:
    assert env.parse(MINIMAL | {"DATABASE_URL": address})["DATABASE_URL"]["CONN_MAX_AGE"] > 0


def test_it_reads_a_file_and_lets_the_environment_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "env"
    file.write_text("".join(f"{name}={value}\n" for name, value in MINIMAL.items()) + "SYNC_INTERVAL=7\nWORKERS=3\n")
    monkeypatch.setattr("os.environ", {"ENV_FILE": str(file), "WORKERS": "4"})
    monkeypatch.setattr("environ.Env.ENVIRON", os.environ)
    values = env.read()
    assert (values["SYNC_INTERVAL"], values["WORKERS"]) == (7, 4)


def test_it_names_a_line_that_is_no_assignment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "env"
    file.write_text("# comment\n\nDEBUG = yes\n")
    monkeypatch.setattr("os.environ", {"ENV_FILE": str(file)})
    with pytest.raises(env.ConfigError, match="Line 3 of"):
        env.read()


def test_it_notices_a_misspelt_name_and_leaves_others_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "env"
    monkeypatch.setattr("os.environ", {"ENV_FILE": str(file)} | MINIMAL)
    monkeypatch.setattr("environ.Env.ENVIRON", os.environ)
    file.write_text("COMPOSE_PROJECT_NAME=connector\n")
    assert env.read()["SYNC_INTERVAL"] == 300
    file.write_text("COMPOSE_PROJECT_NAME=connector\nSYNC_INTERVALL=60\n")
    with pytest.raises(env.ConfigError, match=r"Line 2 .*SYNC_INTERVALL means nothing here; is SYNC_INTERVAL meant"):
        env.read()


def test_the_example_file_documents_every_variable() -> None:
    assert (env.BASE_DIR / ".env.example").read_text() == env.example_file()


def test_the_example_file_lacks_only_what_is_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {"ENV_FILE": ".env.example"})
    monkeypatch.setattr("environ.Env.ENVIRON", os.environ)
    with pytest.raises(env.ConfigError) as caught:
        env.read()
    required = [variable.name for variable in env.VARIABLES if variable.default is env.REQUIRED]
    # Nor which of the two ways of giving consent is wanted.
    assert [sentence.split()[1] for sentence in caught.value.sentences] == [*required, "Nobody"]
