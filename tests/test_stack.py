"""The dependencies are the ones that were locked, and none has overwritten another."""

from importlib.metadata import version

import urllib3


def test_nothing_has_replaced_urllib3() -> None:
    # caldav's niquests brings urllib3-future, which installs itself over the urllib3 that exchangelib and NTLM use
    # (docs/server-behaviour.md, section 6.1).
    assert urllib3.__version__ == version("urllib3")
