"""UIDs as GlobalObjectIds (MS-OXOCAL section 2.2.1.27)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncapp.exchange.ews.uids import global_object_id, uid_of

# MS-OXOCAL section 2.2.1.27: the identifier, the date of the exception, the time of creation, eight zeros, the size.
MADE_BY_EXCHANGE = "040000008200E00074C5B7101A82E00807EA0A0CA0BC1E4D0C5BDC0100000000000000001000000063D2A5" + "00" * 13


def test_a_foreign_uid_is_wrapped() -> None:
    value = global_object_id("event@lab.example")
    assert value.hex() == (
        "040000008200e00074c5b7101a82e008" + "00" * 20 + "1e000000" + b"vCal-Uid".hex() + "01000000"
        + b"event@lab.example".hex() + "00"
    )  # fmt: skip


def test_an_exchange_uid_is_its_own_id_without_the_date_of_an_occurrence() -> None:
    value = global_object_id(MADE_BY_EXCHANGE)
    assert value[16:20] == bytes(4)
    assert value[20:] == bytes.fromhex(MADE_BY_EXCHANGE)[20:]
    assert uid_of(value) == value.hex().upper()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80))
def test_every_uid_comes_back(uid: str) -> None:
    assert uid_of(global_object_id(uid)) == uid


def test_bytes_that_are_none_have_no_uid() -> None:
    assert uid_of(b"") == ""
    assert uid_of(b"\x04" * 60) == ""
