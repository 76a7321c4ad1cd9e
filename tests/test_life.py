"""What may follow what in the life of an enrollment, and that nothing else changes a state."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from syncapp import life
from syncapp.life import NOTHING, RULES, Actor, NotAllowed, Reason, State
from syncapp.models import Enrollment, Transition
from tests.jobs.fakes import HOUR, NOW, enrollment

ROOT = Path(__file__).parent.parent


def allowed(before: str, after: str, reason: Reason) -> bool:
    """Whether a rule lets a reason lead from one state to another."""
    return before in RULES[reason].before and after in RULES[reason].after


def log(row: Enrollment) -> list[tuple[str, str, str, str, str]]:
    """What is written down about a person."""
    rows = Transition.objects.filter(enrollment=row).order_by("pk")
    return [(each.before, each.after, each.reason, each.actor, each.by) for each in rows]


# The rules -----------------------------------------------------------------------------------------------------------


def test_every_reason_has_a_rule_and_a_sentence_of_its_own() -> None:
    assert set(RULES) == set(Reason)
    assert len({rule.sentence for rule in RULES.values()}) == len(RULES)


def test_people_are_told_something_in_every_state() -> None:
    assert set(life.TOLD) == set(State)


def test_every_state_can_be_reached_and_left() -> None:
    for state in State:
        assert any(state in rule.after for rule in RULES.values()), state
        assert any(state in rule.before for rule in RULES.values()), state


def test_who_left_comes_back_by_a_person_only() -> None:
    back = {reason for reason in Reason if State.LEFT in RULES[reason].before}
    assert {RULES[reason].actor for reason in back} <= {Actor.ADMIN, Actor.USER}


def test_nobody_but_an_admin_ends_the_wait_for_one() -> None:
    """The connector does it only where the address changes, for which it asks the rules about addresses again."""
    out = {
        reason
        for reason, after in product(Reason, (State.PREVIEW, State.ACTIVE))
        if allowed(State.WAITING, after, reason)
    }
    assert out == {Reason.APPROVED, Reason.ADDRESS_FOUND, Reason.GRANTED}
    assert {reason for reason in Reason if allowed(State.PREVIEW, State.ACTIVE, reason)} <= {
        Reason.PREVIEW_APPROVED,
        Reason.GRANTED,
    }


@pytest.mark.parametrize("reason", Reason)
def test_what_no_rule_allows_is_refused(reason: Reason) -> None:
    forbidden = [pair for pair in product((NOTHING, *State.values), State.values) if not allowed(*pair, reason)]
    assert forbidden
    for before, after in forbidden:
        with pytest.raises(NotAllowed):
            life.check(before, after, reason)


# Changes -------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_change_is_written_down_with_who_caused_it() -> None:
    row = enrollment(state=State.WAITING, state_since=NOW - HOUR)
    assert life.move(row, State.ACTIVE, Reason.APPROVED, NOW, {"due_at": NOW + HOUR}, by="ada")
    stored = Enrollment.objects.get()
    assert (stored.state, stored.state_since, stored.due_at) == (State.ACTIVE, NOW, NOW + HOUR)
    assert (row.state, row.state_since, row.due_at) == (State.ACTIVE, NOW, NOW + HOUR)
    assert log(row) == [("waiting", "active", "approved", "admin", "ada")]
    assert life.sentence(Transition.objects.get()).startswith("Approved")


@pytest.mark.django_db
def test_a_forbidden_change_changes_nothing() -> None:
    row = enrollment(state=State.LEFT)
    with pytest.raises(NotAllowed, match="listed-again does not lead from left to active"):
        life.move(row, State.ACTIVE, Reason.LISTED_AGAIN, NOW)
    assert Enrollment.objects.get().state == State.LEFT
    assert not Transition.objects.exists()


@pytest.mark.django_db
def test_whoever_decided_in_between_wins() -> None:
    row = enrollment()
    Enrollment.objects.update(state=State.PAUSED)
    assert not life.move(row, State.ABSENT, Reason.NOT_LISTED, NOW)
    assert Enrollment.objects.get().state == State.PAUSED
    assert (row.state, Transition.objects.count()) == (State.ACTIVE, 0)


@pytest.mark.django_db
def test_the_beginning_is_written_down_too() -> None:
    row = Enrollment(nextcloud_uid="alice", due_at=NOW, state=State.WAITING)
    life.begin(row, Reason.LISTED, NOW)
    assert log(row) == [("", "waiting", "listed", "connector", "")]
    with pytest.raises(NotAllowed):
        life.begin(Enrollment(nextcloud_uid="bob", due_at=NOW, state=State.LEFT), Reason.LISTED, NOW)
    assert Enrollment.objects.count() == 1


# Nothing else --------------------------------------------------------------------------------------------------------


def states_written(tree: ast.AST) -> Iterator[str]:
    """Where a program gives a state to something: ``update(state=...)``, ``put``, ``release``, ``row.state = ...``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("update", "put", "release", "create", "update_or_create"):
                yield from (ast.unparse(each.value) for each in node.keywords if each.arg == "state")
        elif isinstance(node, ast.Assign):
            targets = [each for each in node.targets if isinstance(each, ast.Attribute) and each.attr == "state"]
            yield from (f"{ast.unparse(each)} = {ast.unparse(node.value)}" for each in targets)


def test_only_one_module_changes_the_state_of_a_person() -> None:
    assert set(states_written(ast.parse("people.update(state=x); row.state = y"))) == {"x", "row.state = y"}
    found = {
        (str(path.relative_to(ROOT)), written)
        for room in ("syncapp", "adminui")
        for path in (ROOT / room).rglob("*.py")
        if "migrations" not in path.parts and path != Path(life.__file__)
        for written in states_written(ast.parse(path.read_text()))
    }
    mine = {
        each
        for each in found
        if not each[0].startswith(("syncapp/engine/", "syncapp/jobs/holds", "syncapp/models/hold"))
    }
    # A new row gets the state that life.begin then judges.
    assert mine == {("syncapp/jobs/enroll.py", "row.state = course.state")}
