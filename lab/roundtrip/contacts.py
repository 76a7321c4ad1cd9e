"""The judge of contacts: .vcf files, vobject and exchangelib."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from exchangelib import Account
from exchangelib.folders import BaseFolder, Contacts

from lab.roundtrip import card_reading, contacts_reading
from lab.roundtrip.card_text import split_cards
from lab.roundtrip.kinds import Reading, Shown
from lab.roundtrip.pictures import same_picture


class ContactJudge:
    """See ``kinds.Judge``."""

    kind = "contacts"
    suffixes = frozenset({".vcf", ".vcard"})
    fields: Mapping[str, str] = {
        "display_name": "Display name",
        "given_name": "First name",
        "middle_name": "Middle name",
        "surname": "Last name",
        "prefix": "Prefix",
        "suffix": "Suffix",
        "nickname": "Nickname",
        "phonetic_given_name": "First name as it sounds",
        "phonetic_surname": "Last name as it sounds",
        "phonetic_company": "Company as it sounds",
        "file_as": "Filed as",
        "company": "Company",
        "department": "Department",
        "job_title": "Job title",
        "profession": "Role",
        "manager": "Manager",
        "assistant": "Assistant",
        "office": "Office",
        "spouse": "Spouse",
        "children": "Children",
        "emails": "E-mail (the first three)",
        "phones": "Phones (one for each slot)",
        "work address": "Address at work",
        "home address": "Address at home",
        "other address": "Other address",
        "post box of work": "Post box at work",
        "post box of home": "Post box at home",
        "post box of other": "Other post box",
        "instant messaging": "Instant messaging (the first three)",
        "web_page": "Web page",
        "personal_page": "Personal web page",
        "birthday": "Birthday",
        "anniversary": "Anniversary",
        "notes": "Notes",
        "categories": "Categories",
        "privacy": "Privacy",
        "photo": "Photo",
    }

    def __init__(self, home: str, owner: str) -> None:
        """Contacts have no times and no owner."""
        del home, owner

    def split(self, data: bytes) -> list[bytes]:
        """See ``Judge``."""
        return split_cards(data)

    def read(self, text: bytes) -> Reading:
        """See ``Judge``."""
        return card_reading.read_card(text)

    def same(self, name: str, before: str, after: str) -> bool:
        """See ``Judge``."""
        return same_picture(before, after) if name == "photo" else before == after

    def shown(self, text: bytes) -> Shown:
        """See ``Judge``: a contact does not happen."""
        del text
        return Shown()

    def repeats(self, text: bytes) -> bool:
        """See ``Judge``."""
        del text
        return False

    def read_mailbox(self, account: Account, ids: Sequence[str]) -> list[Reading]:
        """See ``Judge``."""
        return contacts_reading.read_contacts(account, ids)

    def edit(self, account: Account, ids: Sequence[str]) -> bool:
        """See ``Judge``: the job title."""
        contacts_reading.set_job_title(account, ids, "Edited in Exchange")
        return True

    def lost(self, before: bytes, after: bytes) -> list[str]:
        """See ``Judge``: every line but the job title's, byte for byte."""
        kept = set(card_reading.raw_lines(after))
        return [
            line.decode(errors="replace")
            for line in card_reading.raw_lines(before)
            if line not in kept and not re.match(rb"([\w-]+\.)?(TITLE|REV)[;:]", line, re.IGNORECASE)
        ]

    def new_folder(self, account: Account, name: str) -> BaseFolder:
        """See ``Judge``."""
        return Contacts(parent=account.contacts, name=name).save()

    def shown_in_mailbox(self, folder: BaseFolder, like: Shown) -> Shown:
        """See ``Judge``."""
        del folder, like
        return Shown()
