"""The dependencies are the ones that were locked, and none has overwritten another."""

from importlib.metadata import version

from urllib3._version import __version__ as running


def test_nothing_has_replaced_urllib3() -> None:
    # caldav's niquests brings urllib3-future, which installs itself over the urllib3 that exchangelib and NTLM use
    # (docs/server-behaviour.md, section 6.1).
    assert running == version("urllib3")
