"""What every side must do, whatever server stands behind it: the tests of ``syncapp.side.Side``.

A side's own test module makes a subclass named ``Test...`` and gives it an ``open_side`` fixture, a function that
returns a ``Side`` of the asked kind; called twice it gives two clients of the same store. Everything a test knows of
the store it learns through the contract, and changes "from outside" are made by a second client. The store may be
shared by tests: each uses ids of its own.

What a server can't do is declared by the class attributes, never skipped inside a test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from syncapp.items import Event, Item, Kind
from syncapp.items.elements import Element, elements
from syncapp.items.values import moment_key
from syncapp.side import (
    AlreadyThere,
    Change,
    ChangedMeanwhile,
    Creation,
    Deletion,
    Folder,
    Gone,
    Object,
    Side,
    SideError,
    TokenLost,
    Unreadable,
    Update,
    WriteResult,
    Written,
)
from tests.contract import samples

OpenSide = Callable[[Kind], Side]

NOWHERE = "there is no object with this id"


def content(item: Item) -> dict[Element, str]:
    """What of an item is compared."""
    return {path: part.normal for path, part in elements(item).items()}


def written(result: WriteResult) -> Written:
    """The answer to a write that was accepted, complete; anything else fails the test."""
    assert isinstance(result, Written), repr(result)
    assert result.problem is None, repr(result.problem)
    return result


class SideContract:
    """The suite. Kinds that a side serves, and what its server can't do, are stated by subclasses."""

    kinds: tuple[Kind, ...] = tuple(Kind)
    bins: tuple[Kind, ...] = tuple(Kind)
    """Kinds for which deleted objects can be found and restored."""
    delete_checks_revision = True
    """Whether a deletion of an object that changed meanwhile is refused (docs/architecture.md, rule 13)."""
    two_folders = True
    """Whether ``open_side`` gives at least two writable folders, so that there is somewhere to move to."""
    create_checks_ids = True
    """Whether a create whose own id or UID is taken in the folder is refused; Exchange has no such check."""
    tells_whole = False
    """Whether the answer to a plain write proves what is stored now (``Written.whole``)."""
    unique_uids: tuple[Kind, ...] = tuple(Kind)
    """Kinds of which a folder holds a UID only once, where creates are checked at all."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run every test for every kind that the side serves."""
        if "kind" in metafunc.fixturenames:
            metafunc.parametrize("kind", self.kinds, ids=lambda kind: kind.value)

    @pytest.fixture
    def open_side(self) -> OpenSide:
        """A function from a kind to a fresh client; subclasses provide it."""
        raise NotImplementedError

    @pytest.fixture
    def side(self, open_side: OpenSide, kind: Kind) -> Iterator[Side]:
        side = open_side(kind)
        yield side
        side.close()

    @pytest.fixture
    def other(self, open_side: OpenSide, kind: Kind) -> Iterator[Side]:
        """Somebody else's client of the same store."""
        side = open_side(kind)
        yield side
        side.close()

    @pytest.fixture
    def folder(self, side: Side) -> str:
        return writable(side)[0].id

    # Folders and looks -------------------------------------------------------------------------------------------

    def test_it_names_itself_and_its_kind(self, side: Side, kind: Kind) -> None:
        assert side.kind is kind
        assert side.request_seconds > 0

    def test_the_epoch_is_the_same_for_every_client(self, side: Side, other: Side) -> None:
        assert side.epoch() == other.epoch() != ""

    def test_it_lists_folders_of_its_kind_with_one_default(self, side: Side, kind: Kind) -> None:
        folders = side.folders()
        assert {each.kind for each in folders} == {kind}
        assert [each.default for each in folders].count(True) == 1
        assert len({each.id for each in folders}) == len(folders)

    def test_a_look_changes_exactly_when_something_changed(self, side: Side, other: Side, folder: str) -> None:
        before = side.look([folder])[folder]
        assert before == side.look([folder])[folder]
        create(other, folder, samples.plain(side.kind))
        after = side.look([folder])[folder]
        assert after.token is None or after != before

    def test_a_look_leaves_out_a_folder_that_is_not_there(self, side: Side, folder: str) -> None:
        assert set(side.look([folder, NOWHERE])) == {folder}

    # Changes -----------------------------------------------------------------------------------------------------

    def test_without_a_token_it_lists_everything(self, side: Side, folder: str) -> None:
        made = [create(side, folder, samples.plain(side.kind)) for _ in range(3)]
        listed, _ = listing(side, folder)
        for each in made:
            assert listed[each.id] == each.revision

    def test_with_nothing_new_there_are_no_changes(self, side: Side, folder: str) -> None:
        create(side, folder, samples.plain(side.kind))
        _, token = listing(side, folder)
        assert changes_since(side, folder, token)[:2] == ({}, set())

    def test_a_new_object_is_a_change_with_its_revision(self, side: Side, other: Side, folder: str) -> None:
        _, token = listing(side, folder)
        made = create(other, folder, samples.plain(side.kind))
        changed, _, _ = changes_since(side, folder, token)
        assert changed == {made.id: made.revision}

    def test_an_edit_is_a_change_with_a_new_revision(self, side: Side, other: Side, folder: str) -> None:
        made = create(side, folder, samples.plain(side.kind))
        _, token = listing(side, folder)
        edit(other, made.id, "Umbenannt")
        changed, _, _ = changes_since(side, folder, token)
        assert changed == {made.id: read(side, made.id).revision}
        assert changed[made.id] != made.revision

    def test_a_deleted_object_is_reported_gone(self, side: Side, other: Side, folder: str) -> None:
        made = create(side, folder, samples.plain(side.kind))
        _, token = listing(side, folder)
        [result] = other.delete([Deletion(made.id, made.revision)])
        written(result)
        changed, gone, _ = changes_since(side, folder, token)
        assert changed == {}
        assert made.id in gone

    def test_changes_go_on_from_each_new_token(self, side: Side, folder: str) -> None:
        _, token = listing(side, folder)
        first = create(side, folder, samples.plain(side.kind))
        changed, _, token = changes_since(side, folder, token)
        assert set(changed) == {first.id}
        second = create(side, folder, samples.plain(side.kind))
        changed, _, _ = changes_since(side, folder, token)
        assert set(changed) == {second.id}

    def test_a_token_that_means_nothing_is_lost(self, side: Side, folder: str) -> None:
        with pytest.raises(TokenLost):
            side.changes(folder, "this was never a token")

    def test_changes_of_a_folder_that_is_not_there(self, side: Side) -> None:
        with pytest.raises(Gone):
            side.changes(NOWHERE, None)

    # Reading -----------------------------------------------------------------------------------------------------

    def test_what_was_created_reads_as_projected(self, side: Side, folder: str, kind: Kind) -> None:
        for item in examples(kind):
            own_id, uid = samples.own_id(), samples.uid()
            [result] = side.create([Creation(own_id, uid, folder, item)])
            found = read(side, written(result).id)
            assert content(found.item) == content(side.project(item))
            assert (found.uid, found.own_id, found.folder, found.in_bin) == (uid, own_id, folder, False)
            assert found.revision

    def test_a_projection_is_what_it_stays(self, side: Side, kind: Kind) -> None:
        for item in examples(kind):
            once = side.project(item)
            # A copy, because a side may know its own projections.
            assert content(side.project(replace(once))) == content(once)

    def test_what_it_holds_passes_its_own_check(self, side: Side, kind: Kind) -> None:
        for item in examples(kind):
            side.check(side.project(item), samples.uid())

    def test_reading_leaves_out_what_is_not_there(self, side: Side, folder: str) -> None:
        made = create(side, folder, samples.plain(side.kind))
        assert set(side.read([made.id, NOWHERE])) == {made.id}

    def test_reading_nothing_asks_nothing(self, side: Side) -> None:
        assert side.read([]) == {}

    def test_the_whole_stays_while_nobody_edits(self, side: Side, other: Side, folder: str) -> None:
        made = create(side, folder, samples.rich(side.kind))
        assert read(other, made.id).whole == read(side, made.id).whole
        edit(other, made.id, "Umbenannt")
        assert read(side, made.id).whole != made.whole

    def test_the_whole_that_a_write_tells_is_what_reads(self, side: Side, folder: str, kind: Kind) -> None:
        for item in examples(kind):
            [result] = side.create([Creation(samples.own_id(), samples.uid(), folder, item)])
            made = read(side, written(result).id)
            [again] = side.update([rename(made, "Umbenannt")])
            for answer, whole in ((written(result), made.whole), (written(again), read(side, made.id).whole)):
                assert answer.whole == whole if self.tells_whole else answer.whole in (None, whole)

    def test_a_packed_object_unpacks_to_its_item(self, side: Side, folder: str, kind: Kind) -> None:
        for item in examples(kind):
            found = create(side, folder, item)
            assert content(side.unpack(side.pack(found.source))) == content(found.item)

    def test_garbage_does_not_unpack(self, side: Side) -> None:
        with pytest.raises(Unreadable):
            side.unpack(b"\x00 this was never packed")

    # Finding -----------------------------------------------------------------------------------------------------

    def test_it_finds_by_own_id_by_link_and_by_uid(self, side: Side, folder: str) -> None:
        own_id, uid = samples.own_id(), samples.uid()
        [result] = side.create([Creation(own_id, uid, folder, samples.plain(side.kind))])
        made = read(side, written(result).id)
        for found in (
            side.find([own_id], []),
            side.find([own_id.split(".")[0]], []),
            side.find([], [uid]),
            side.find([own_id], [uid]),
        ):
            assert [(each.id, each.folder, each.own_id, each.uid, each.in_bin) for each in found] == [
                (made.id, folder, own_id, uid, False)
            ]
            assert found[0].revision == made.revision

    def test_it_finds_nothing_by_strange_ids(self, side: Side) -> None:
        assert side.find([samples.own_id()], [samples.uid()]) == []
        assert side.find([], []) == []

    def test_an_own_id_of_another_attempt_is_not_found(self, side: Side, folder: str) -> None:
        own_id = samples.own_id()
        [result] = side.create([Creation(own_id, samples.uid(), folder, samples.plain(side.kind))])
        written(result)
        assert side.find([own_id.split(".")[0] + ".00000000"], []) == []

    def test_a_deleted_object_is_found_in_the_bin(self, side: Side, folder: str, kind: Kind) -> None:
        made = create(side, folder, samples.plain(kind))
        written(side.delete([Deletion(made.id, made.revision)])[0])
        found = side.find([], [made.uid])
        assert [each.in_bin for each in found] == ([True] if kind in self.bins else [])
        assert [each for each in side.binned() if each.uid == made.uid] == found
        for each in found:
            binned = read(side, each.id)
            assert binned.in_bin
            assert content(binned.item) == content(made.item)

    # Writing -----------------------------------------------------------------------------------------------------

    def test_a_second_object_under_the_same_own_id_or_uid_is_refused(self, side: Side, folder: str) -> None:
        own_id, uid = samples.own_id(), samples.uid()
        item = samples.plain(side.kind)
        first = written(side.create([Creation(own_id, uid, folder, item)])[0])
        again = [Creation(own_id, uid, folder, item)]
        if not self.create_checks_ids or side.kind in self.unique_uids:
            again.append(Creation(samples.own_id(), uid, folder, item))
        for each in again:
            [result] = side.create([each])
            if self.create_checks_ids:
                assert isinstance(result, AlreadyThere), repr(result)
                assert result.id in ("", first.id)
            else:
                assert written(result).id in {found.id for found in side.find([], [uid])} - {first.id}

    def test_an_update_changes_what_it_names(self, side: Side, folder: str, kind: Kind) -> None:
        made = create(side, folder, samples.rich(kind))
        changed = samples.renamed(made.item, "Ganz anders")
        [result] = side.update([Update(made, changed, frozenset({samples.name_element(kind)}))])
        answer = written(result)
        found = read(side, answer.id)
        assert answer.id == made.id
        assert answer.revision in ("", found.revision)
        assert found.revision != made.revision
        assert content(found.item) == content(side.project(changed))
        assert (found.uid, found.own_id) == (made.uid, made.own_id)

    def test_an_update_removes_what_is_gone(self, side: Side, folder: str, kind: Kind) -> None:
        made = create(side, folder, samples.rich(kind))
        emptied = samples.plain(kind, "Leer")
        before, after = content(made.item), content(emptied)
        changed = frozenset(path for path in {*before, *after} if before.get(path) != after.get(path))
        written(side.update([Update(made, emptied, changed)])[0])
        assert content(read(side, made.id).item) == content(side.project(emptied))

    def test_an_earlier_version_is_given_back_as_it_was(self, side: Side, folder: str, kind: Kind) -> None:
        made = create(side, folder, samples.rich(kind))
        edit(side, made.id, "Ganz anders")
        now, native = read(side, made.id), side.pack(made.source)
        [result] = side.update([Update(now, made.item, frozenset({samples.name_element(kind)}), native)])
        found = read(side, written(result).id)
        assert content(found.item) == content(made.item)
        assert (found.id, found.uid, found.own_id) == (made.id, made.uid, made.own_id)
        assert found.whole == made.whole

    def test_an_earlier_version_is_not_given_back_over_what_changed_meanwhile(
        self, side: Side, other: Side, folder: str, kind: Kind
    ) -> None:
        made = create(side, folder, samples.plain(kind))
        edit(other, made.id, "Von jemand anderem")
        native = side.pack(made.source)
        [result] = side.update([Update(made, made.item, frozenset({samples.name_element(kind)}), native)])
        assert isinstance(result, ChangedMeanwhile)

    def test_an_earlier_version_is_created_again_as_it_was(self, side: Side, folder: str, kind: Kind) -> None:
        made = create(side, folder, samples.rich(kind))
        written(side.delete([Deletion(made.id, made.revision)])[0])
        own_id, uid = samples.own_id(), samples.uid()
        [result] = side.create([Creation(own_id, uid, folder, made.item, side.pack(made.source))])
        found = read(side, written(result).id)
        assert content(found.item) == content(made.item)
        assert (found.uid, found.own_id) == (uid, own_id)

    def test_an_update_of_what_changed_meanwhile_is_refused(self, side: Side, other: Side, folder: str) -> None:
        made = create(side, folder, samples.plain(side.kind))
        edit(other, made.id, "Von jemand anderem")
        [result] = side.update([rename(made, "Von uns")])
        assert isinstance(result, ChangedMeanwhile), repr(result)
        assert content(read(side, made.id).item)[samples.name_element(side.kind)] == "Von jemand anderem"

    def test_an_update_of_what_is_gone(self, side: Side, other: Side, folder: str) -> None:
        made = create(side, folder, samples.plain(side.kind))
        written(other.delete([Deletion(made.id, made.revision)])[0])
        [result] = side.update([rename(made, "Zu spät")])
        assert isinstance(result, Gone), repr(result)

    def test_in_a_batch_each_item_has_its_own_result(self, side: Side, other: Side, folder: str) -> None:
        made = [create(side, folder, samples.plain(side.kind)) for _ in range(4)]
        edit(other, made[1].id, "Von jemand anderem")
        written(other.delete([Deletion(made[2].id, made[2].revision)])[0])
        results = side.update([rename(each, "Von uns") for each in made])
        assert [type(each) for each in results] == [Written, ChangedMeanwhile, Gone, Written]
        for each in (made[0], made[3]):
            assert content(read(side, each.id).item)[samples.name_element(side.kind)] == "Von uns"

    def test_a_batch_of_creations_answers_in_order(self, side: Side, folder: str) -> None:
        names = [f"Nummer {number}" for number in range(12)]
        creations = [
            Creation(samples.own_id(), samples.uid(), folder, samples.renamed(samples.plain(side.kind), name))
            for name in names
        ]
        ids = [written(each).id for each in side.create(creations)]
        found = side.read(ids)
        for creation, id, name in zip(creations, ids, names, strict=True):
            each = present(found[id])
            assert (each.uid, content(each.item)[samples.name_element(side.kind)]) == (creation.uid, name)

    def test_empty_batches(self, side: Side) -> None:
        assert (side.create([]), side.update([]), side.delete([])) == ([], [], [])

    # Deleting, moving, restoring ---------------------------------------------------------------------------------

    def test_what_was_deleted_is_not_there(self, side: Side, folder: str) -> None:
        made = create(side, folder, samples.plain(side.kind))
        written(side.delete([Deletion(made.id, made.revision)])[0])
        assert made.id not in listing(side, folder)[0]
        found = side.read([made.id])
        assert all(present(each).in_bin for each in found.values())

    def test_deleting_what_changed_meanwhile(self, side: Side, other: Side, folder: str) -> None:
        made = create(side, folder, samples.plain(side.kind))
        edit(other, made.id, "Von jemand anderem")
        [result] = side.delete([Deletion(made.id, made.revision)])
        if self.delete_checks_revision:
            assert isinstance(result, ChangedMeanwhile), repr(result)
            assert not read(side, made.id).in_bin
        else:
            written(result)

    def test_deleting_what_is_gone(self, side: Side, folder: str) -> None:
        made = create(side, folder, samples.plain(side.kind))
        written(side.delete([Deletion(made.id, made.revision)])[0])
        [result] = side.delete([Deletion(made.id, made.revision)])
        assert isinstance(result, Gone), repr(result)

    def test_a_moved_object_is_the_same_in_its_new_folder(self, side: Side, folder: str, kind: Kind) -> None:
        if not self.two_folders:
            assert len(writable(side)) == 1
            return
        target = writable(side)[1].id
        made = create(side, folder, samples.rich(kind))
        moved = read(side, side.move(made.id, made.revision, target).id)
        assert (moved.folder, moved.uid, moved.own_id) == (target, made.uid, made.own_id)
        assert moved.whole == made.whole
        assert [each.folder for each in side.find([], [made.uid]) if not each.in_bin] == [target]
        assert made.id not in listing(side, folder)[0]
        assert moved.id in listing(side, target)[0]

    def test_an_object_moves_although_its_name_is_taken(self, side: Side, folder: str, kind: Kind) -> None:
        if not self.two_folders:
            assert len(writable(side)) == 1
            return
        target = writable(side)[1].id
        made = create(side, folder, samples.plain(kind))
        own_id = made.own_id.removesuffix(".ics").removesuffix(".vcf")
        create(side, target, samples.plain(kind), own_id=own_id)
        moved = read(side, side.move(made.id, made.revision, target).id)
        assert (moved.folder, moved.uid, moved.whole) == (target, made.uid, made.whole)
        assert made.id not in listing(side, folder)[0]
        assert moved.id in listing(side, target)[0]

    def test_moving_what_is_gone(self, side: Side, folder: str) -> None:
        made = create(side, folder, samples.plain(side.kind))
        written(side.delete([Deletion(made.id, made.revision)])[0])
        with pytest.raises(Gone):
            side.move(made.id, made.revision, writable(side)[-1].id)

    def test_a_restored_object_is_back_as_it_was(self, side: Side, folder: str, kind: Kind) -> None:
        made = create(side, folder, samples.rich(kind))
        written(side.delete([Deletion(made.id, made.revision)])[0])
        for each in side.find([], [made.uid]):
            back = read(side, side.restore(each.id, folder).id)
            assert (back.folder, back.uid, back.in_bin, back.whole) == (folder, made.uid, False, made.whole)
            assert [found.in_bin for found in side.find([], [made.uid])] == [False]

    def test_restoring_what_is_not_in_the_bin(self, side: Side, folder: str) -> None:
        with pytest.raises(Gone):
            side.restore(NOWHERE, folder)

    # Series ------------------------------------------------------------------------------------------------------

    def test_an_exception_is_changed_added_and_taken_back(self, open_side: OpenSide) -> None:
        if Kind.EVENT not in self.kinds:
            return
        side = open_side(Kind.EVENT)
        made = create(side, writable(side)[0].id, samples.series())
        assert isinstance(made.item, Event)
        moved, deleted = made.item.exceptions
        swapped = replace(
            made.item,
            exceptions=(replace(moved, values={"title": "Nur umbenannt"}), *made.item.exceptions[2:]),
        )
        before, after = content(made.item), content(swapped)
        changed = frozenset(path for path in {*before, *after} if before.get(path) != after.get(path))
        written(side.update([Update(made, swapped, changed)])[0])
        found = read(side, made.id).item
        assert content(found) == content(side.project(swapped))
        assert not any(path[:2] == ("exceptions", moment_key(deleted.original)) for path in content(found))
        side.close()


# What the tests above are written with ---------------------------------------------------------------------------


def examples(kind: Kind) -> list[Item]:
    """Items of a kind that between them use everything that every side must hold."""
    common = [samples.plain(kind), samples.rich(kind)]
    return [*common, samples.series(), samples.all_day()] if kind is Kind.EVENT else common


def writable(side: Side) -> list[Folder]:
    """The folders that tests may use, the default first."""
    return sorted((each for each in side.folders() if each.writable), key=lambda each: not each.default)


def present(found: Object | SideError) -> Object:
    """An object that could be read."""
    assert isinstance(found, Object), repr(found)
    return found


def read(side: Side, id: str) -> Object:
    """One object that is there."""
    return present(side.read([id])[id])


def create(side: Side, folder: str, item: Item, *, own_id: str = "") -> Object:
    """A new object, as it reads after it was written."""
    [result] = side.create([Creation(own_id or samples.own_id(), samples.uid(), folder, item)])
    return read(side, written(result).id)


def rename(object: Object, name: str) -> Update:
    """The update that gives an object another name."""
    element = samples.name_element(object.item.kind)
    return Update(object, samples.renamed(object.item, name), frozenset({element}))


def edit(side: Side, id: str, name: str) -> None:
    """What somebody else does: read an object and give it another name."""
    written(side.update([rename(read(side, id), name)])[0])


def listing(side: Side, folder: str) -> tuple[dict[str, str], str]:
    """Everything in a folder by id, with its revision, and the token that stands for this state."""
    page = side.changes(folder, None)
    found = {each.id: each.revision for each in page.changed}
    while page.more:
        assert page.full
        page = side.changes(folder, page.token)
        found.update((each.id, each.revision) for each in page.changed)
    assert page.full
    return found, page.token


def changes_since(side: Side, folder: str, token: str) -> tuple[dict[str, str], set[str], str]:
    """Everything that happened since a token, echoes of what the test itself wrote included."""
    changed: dict[str, str] = {}
    gone: set[str] = set()
    more = True
    while more:
        page = side.changes(folder, token)
        assert not page.full
        changed.update(_by_id(page.changed))
        gone.update(page.gone)
        token, more = page.token, page.more
    return changed, gone, token


def _by_id(changes: tuple[Change, ...]) -> dict[str, str]:
    return {each.id: each.revision for each in changes}
