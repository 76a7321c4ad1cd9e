"""The fault plan: which requests it strikes, and what it refuses to plan."""

from __future__ import annotations

import pytest

from lab.faults import BadFault, FaultPlan


def struck(plan: FaultPlan, operation: str, user: str = "ada@lab.example", times: int = 1) -> list[bool]:
    return [plan.strike(operation, [user], "/EWS/Exchange.asmx") is not None for _ in range(times)]


def test_it_strikes_once_by_default() -> None:
    plan = FaultPlan()
    plan.add_json({"operation": "CreateItem", "status": 503})
    assert struck(plan, "GetItem") == [False]
    assert struck(plan, "CreateItem", times=3) == [True, False, False]


def test_it_lets_requests_pass_first() -> None:
    plan = FaultPlan()
    plan.add_json({"operation": ["PUT", "DELETE"], "skip": 2, "times": 2, "drop": "after"})
    assert struck(plan, "put", times=6) == [False, False, True, True, False, False]


def test_it_strikes_for_ever_until_removed() -> None:
    plan = FaultPlan()
    (number,) = plan.add_json({"times": None, "status": 500})
    assert struck(plan, "PUT", times=5) == [True] * 5
    plan.clear(number)
    assert struck(plan, "PUT") == [False]


def test_it_strikes_only_the_named_user_and_path() -> None:
    plan = FaultPlan()
    plan.add_json({"user": "ADA@lab.example", "path": "/EWS/*", "times": None, "status": 500})
    assert struck(plan, "GetItem", "ada@lab.example") == [True]
    assert struck(plan, "GetItem", "bob@lab.example") == [False]
    assert plan.strike("GetItem", ["ada@lab.example"], "/other") is None


def test_it_strikes_only_the_named_client() -> None:
    plan = FaultPlan()
    plan.add_json({"client": "Nextcloud*Connector", "times": None, "status": 500})
    assert plan.strike("PUT", [], "/", "NextcloudExchangeConnector") is not None
    assert plan.strike("PUT", [], "/", "Thunderbird") is None


def test_it_strikes_a_request_once_when_two_faults_match() -> None:
    plan = FaultPlan()
    plan.add_json([{"status": 500}, {"status": 503}])
    first = plan.strike("PUT", [], "/")
    second = plan.strike("PUT", [], "/")
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (500, 503)


def test_it_counts_what_it_saw_and_struck() -> None:
    plan = FaultPlan()
    plan.add_json({"operation": "PUT", "skip": 1, "status": 503})
    struck(plan, "PUT", times=3)
    (line,) = plan.to_json()
    assert (line["seen"], line["struck"]) == (3, 1)


@pytest.mark.parametrize(
    ("fault", "part"),
    [
        ({"drop": "sometimes"}, "drop"),
        ({"as": "poem"}, "as"),
        ({"statsu": 503}, "statsu"),
        ({"status": "503"}, "status"),
        ({"operation": 7}, "operation"),
        ("503", "JSON object"),
    ],
)
def test_it_refuses_a_fault_that_it_does_not_understand(fault: object, part: str) -> None:
    plan = FaultPlan()
    with pytest.raises(BadFault, match=part):
        plan.add_json([{"status": 500}, fault])
    assert plan.to_json() == []
