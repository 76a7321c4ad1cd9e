"""Autodiscover against the lab: whom it asks, where it lets itself be led, and what it says when it does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lab.process import start
from syncapp.exchange.autodiscover import Trusted, find_ews, servers_for
from syncapp.side import NoMailbox, Unreachable, Untrusted
from tests.certificates import server_certificate

ADA = "ada@lab.example"
NOBODY = "http://127.0.0.1:9"


class Lab:
    """A running lab Exchange that knows Ada."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.control("POST", "mailboxes", {"address": ADA})

    def control(self, method: str, path: str, data: Any = None) -> None:
        """A control request."""
        httpx.request(method, f"{self.url}/lab/{path}", json=data).raise_for_status()

    def lead(self, **names: Any) -> None:
        """Let it say that mailboxes are elsewhere."""
        self.control("PUT", "autodiscover", names)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with start("lab.exchange", tmp_path_factory.mktemp("lab") / "exchange.db") as process:
        yield Lab(process.url)


@pytest.fixture
def lab(server: Lab) -> Lab:
    server.lead()
    server.control("DELETE", "faults")
    return server


LOCAL = Trusted(["127.0.0.1", "lab.example"], http=True)


def test_a_server_tells_where_the_mailbox_is(lab: Lab) -> None:
    assert find_ews(ADA, [lab.url], LOCAL) == f"{lab.url}/EWS/Exchange.asmx"


def test_the_next_server_is_asked_when_one_does_not_answer(lab: Lab) -> None:
    assert find_ews(ADA, [NOBODY, lab.url], LOCAL) == f"{lab.url}/EWS/Exchange.asmx"


def test_a_mailbox_that_is_not_there_is_none(lab: Lab) -> None:
    with pytest.raises(NoMailbox):
        find_ews("nobody@lab.example", [lab.url, NOBODY], LOCAL)


def test_it_lets_itself_be_led_to_a_trusted_server(lab: Lab) -> None:
    there = f"{lab.url}/autodiscover/autodiscover.json/v1.0/ada@other.example?Protocol=EWS"
    lab.lead(redirects={ADA: there}, urls={"other.example": "https://mail.lab.example/EWS/Exchange.asmx"})
    assert find_ews(ADA, [lab.url], LOCAL) == "https://mail.lab.example/EWS/Exchange.asmx"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/EWS/Exchange.asmx",
        "https://lab.example.evil.example/EWS/Exchange.asmx",
        "https://evillab.example/EWS/Exchange.asmx",
        "ftp://lab.example/EWS/Exchange.asmx",
        "https://lab.example@evil.example/EWS/Exchange.asmx",
    ],
)
@pytest.mark.parametrize("how", ["redirects", "urls"])
def test_it_does_not_let_itself_be_led_anywhere_else(lab: Lab, url: str, how: str) -> None:
    lab.lead(**{how: {ADA: url}})
    with pytest.raises(Unreachable, match="is not trusted"):
        find_ews(ADA, [lab.url], LOCAL)


def test_without_the_word_of_an_admin_it_stays_on_tls(lab: Lab) -> None:
    lab.control("POST", "traffic", {"record": True})
    with pytest.raises(Unreachable, match="only https"):
        find_ews(ADA, [lab.url], Trusted(["127.0.0.1"]))
    assert httpx.get(f"{lab.url}/lab/traffic").json() == []


def test_it_does_not_go_in_circles(lab: Lab) -> None:
    lab.lead(redirects={ADA: f"{lab.url}/autodiscover/autodiscover.json/v1.0/{ADA}?Protocol=EWS"})
    with pytest.raises(Unreachable, match="in circles"):
        find_ews(ADA, [lab.url], LOCAL)


@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 200, "body": "<html>"}, {"status": 200, "body": "[1]"}, {"status": 404, "body": "no"}],
)
def test_what_is_no_autodiscover_says_so(lab: Lab, fault: dict[str, Any]) -> None:
    lab.control("POST", "faults", {"operation": "Autodiscover", **fault})
    with pytest.raises(Unreachable, match="does not answer autodiscover"):
        find_ews(ADA, [lab.url], LOCAL)


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("tls")
    certificate = server_certificate(folder, "127.0.0.1")
    with start("lab.exchange", folder / "exchange.db", certificate=certificate) as process:
        with pytest.raises(Untrusted, match="certificate is not trusted"):
            find_ews(ADA, [process.url], Trusted(["127.0.0.1"]))
        with pytest.raises(NoMailbox):
            find_ews(ADA, [process.url], Trusted(["127.0.0.1"], ca_file=str(certificate)))


def test_the_usual_servers_are_in_the_mail_domain() -> None:
    assert servers_for("ada@example.org") == ["https://autodiscover.example.org", "https://example.org"]
    assert all(Trusted(["example.org"]).covers(each) for each in servers_for("ada@example.org"))
