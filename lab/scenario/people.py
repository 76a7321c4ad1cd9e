"""The three users of the demo, the accounts around them, and how many items each of them has."""

from __future__ import annotations

from dataclasses import dataclass

DOMAIN = "lab.example"
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Tokyo")
EVENTS_EACH = 110
CONTACTS_EACH = 55


@dataclass(frozen=True)
class LabUser:
    """One person: a Nextcloud account (``uid`` and ``login`` may differ) and a mailbox, with the same password."""

    uid: str
    login: str
    email: str
    name: str
    password: str
    zone: str


@dataclass(frozen=True)
class Login:
    """A name and a password."""

    name: str
    password: str


USERS = (
    LabUser("anna", "anna", f"anna@{DOMAIN}", "Anna Berg", "anna-lab-password", ZONES[0]),
    LabUser("ben", "ben", f"ben@{DOMAIN}", "Ben Carter", "ben-lab-password", ZONES[1]),
    # As LDAP does it: the uid is nothing that a person would type.
    LabUser(
        "7c1f0a52-3b7e-4c57-9f0e-52d0c1a5e001",
        "chiara",
        f"chiara@{DOMAIN}",
        "Chiara Tanaka",
        "chiara-lab-password",
        ZONES[2],
    ),
)
SERVICE_ACCOUNT = Login(f"connector@{DOMAIN}", "service-lab-password")
SHARED_SECRET = "lab-shared-secret"


def user(name: str) -> LabUser:
    """The user with this uid, login name or address; raises KeyError naming those there are."""
    for person in USERS:
        if name in (person.uid, person.login, person.email):
            return person
    raise KeyError(f"no lab user {name!r}; there are {', '.join(person.login for person in USERS)}")
