"""Asking for objects: what changed in a collection, objects by path, objects by UID or own id, the trash bin."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from syncapp.items import Kind
from syncapp.nextcloud import requests
from syncapp.nextcloud.codecs import Codec, OtherKind, Parsed
from syncapp.nextcloud.dav import Answer, AnswerTooLarge, DavClient, Multistatus, NotXml, Resource, path_of
from syncapp.nextcloud.homes import not_dav
from syncapp.side import Change, Changes, Found, Gone, TokenLost, Unreachable, Unreadable

BATCH = 150
"""Objects per multiget: a thousand take 0.12 s, and one too large an answer is not worth much more."""
QUERIES = 6
"""Up to so many UIDs are asked for one by one in a calendar; beyond that reading all of it is cheaper."""
UIDS_PER_QUERY = 50
MAX_PAGES = 10_000

_OWN_ID = re.compile(r"[0-9a-z]+\.[0-9a-z]+", re.ASCII)
# sabre/dav counts; other servers' tokens have no order.
_COUNTED = re.compile(r"(http://sabre\.io/ns/sync/)(\d{1,18})", re.ASCII)


@dataclass(slots=True)
class Stored:
    """An object as the server has it; ``data`` is its content."""

    path: str
    revision: str
    data: bytes


Answered = Stored | tuple[str, Unreadable]
"""An object, or the path of one that could not be had and why."""


def folder_of(path: str) -> str:
    """The collection that an object stands in."""
    return path.rpartition("/")[0] + "/"


def path_in(folder: str, own_id: str, codec: Codec) -> str:
    """Where an object with this own id stands in a collection."""
    return folder + quote(own_id, safe="") + codec.suffix


def own_id_of(path: str, codec: Codec) -> str:
    """Our own id in a path, "" when the name is not one of ours."""
    name = unquote(path.rpartition("/")[2]).removesuffix(codec.suffix)
    return name if _OWN_ID.fullmatch(name) else ""


# Changes ---------------------------------------------------------------------------------------------------------


def changes(client: DavClient, folder: str, token: str | None) -> Changes:
    """Everything that happened in a collection since ``token``, or all that is in it (RFC 6578).

    Raises TokenLost, also when the server's own token is lower than ours: it was restored. Raises Gone.
    """
    found: dict[str, Change] = {}
    gone: dict[str, None] = {}
    now = token or ""
    for _ in range(MAX_PAGES):
        answer = client.multistatus("REPORT", folder, requests.sync_collection(now), depth=0)
        if isinstance(answer, Answer):
            raise _no_changes(answer, now)
        more = _sort_out(answer, folder, found, gone)
        if _earlier(answer.token, now):
            raise TokenLost("The server's state is older than the one we know: it was restored from a backup.")
        if not more:
            listed = tuple(found.values())
            return Changes(listed, tuple(gone), answer.token or now, full=not token)
        if answer.token in ("", now):
            break
        now = answer.token
    raise Unreachable("The server announces more changes again and again without giving them.")


def _sort_out(answer: Multistatus, folder: str, found: dict[str, Change], gone: dict[str, None]) -> bool:
    """Take one page in; True when the server says that there is more (RFC 6578 section 3.6)."""
    more = False
    for each in answer.resources:
        if each.status == 507:
            more = True
        elif each.path.rstrip("/") == folder.rstrip("/") or each.path.endswith("/"):
            continue
        elif each.status == 404:
            found.pop(each.path, None)
            gone[each.path] = None
        elif each.etag:
            gone.pop(each.path, None)
            found[each.path] = Change(each.path, each.etag)
    return more


def _no_changes(answer: Answer, token: str) -> Exception:
    if answer.status in (404, 410):
        return Gone("The calendar or address book does not exist any more.")
    conditions, _ = answer.error
    if "valid-sync-token" in conditions or (token and answer.status in (400, 403, 409, 412)):
        return TokenLost("The server does not know our sync token any more.")
    return not_dav(answer)


def _earlier(token: str, known: str) -> bool:
    now, before = _COUNTED.fullmatch(token), _COUNTED.fullmatch(known)
    return bool(now and before and int(now.group(2)) < int(before.group(2)))


# Objects by path -------------------------------------------------------------------------------------------------


def objects(client: DavClient, codec: Codec, paths: Iterable[str]) -> Iterator[Answered]:
    """The objects that stand at these paths, which all lie in one collection; what is not there is left out."""
    wanted = list(paths)
    for start in range(0, len(wanted), BATCH):
        yield from _batch(client, codec, wanted[start : start + BATCH])


def _batch(client: DavClient, codec: Codec, paths: Sequence[str]) -> Iterator[Answered]:
    try:
        answer = client.multistatus("REPORT", folder_of(paths[0]), requests.multiget(codec.kind, paths), depth=1)
    except (AnswerTooLarge, NotXml) as error:
        # One object that XML can't carry must not hide the others; it can still be had by itself.
        if len(paths) == 1:
            yield _alone(client, paths[0]) if isinstance(error, NotXml) else (paths[0], Unreadable(str(error)))
            return
        middle = len(paths) // 2
        yield from _batch(client, codec, paths[:middle])
        yield from _batch(client, codec, paths[middle:])
        return
    if isinstance(answer, Answer):
        if answer.status in (404, 410):
            return
        raise not_dav(answer)
    asked = frozenset(paths)
    yield from (stored for stored in _stored(answer, codec) if stored.path in asked)


def _alone(client: DavClient, path: str) -> Answered:
    stored = one(client, path)
    return stored or (path, Unreadable("The server can neither show the object nor say that it is not there."))


def _stored(answer: Multistatus, codec: Codec) -> Iterator[Stored]:
    for each in answer.resources:
        if each.status == 200 and each.etag and codec.data in each.properties:
            yield Stored(each.path, each.etag, _content(each, codec))


def _content(resource: Resource, codec: Codec) -> bytes:
    return (resource.properties[codec.data].text or "").encode()


def one(client: DavClient, path: str) -> Stored | None:
    """One object by GET, None when it is not there: the trash bin knows no multiget."""
    answer = client.request("GET", path)
    if answer.status in (404, 410):
        return None
    if answer.status != 200:
        raise not_dav(answer)
    return Stored(path, answer.etag, answer.body)


def revision_of(client: DavClient, path: str) -> str | None:
    """The revision that an object has now, None when it is not there."""
    answer = client.multistatus("PROPFIND", path, requests.ETAGS, depth=0)
    if isinstance(answer, Answer):
        if answer.status in (404, 410):
            return None
        raise not_dav(answer)
    return next((each.etag for each in answer.resources if each.status == 200), None)


def is_there(client: DavClient, folder: str) -> bool:
    """Whether a collection exists."""
    answer = client.multistatus("PROPFIND", folder, requests.ETAGS, depth=0)
    return not (isinstance(answer, Answer) and answer.status in (404, 410))


def parsed(codec: Codec, stored: Stored) -> Parsed | Unreadable | None:
    """What is in an object: the item, why it can't be read, or None when it is of another kind."""
    try:
        return codec.parse(stored.data)
    except OtherKind:
        return None
    except Unreadable as error:
        error.revision = stored.revision
        return error


# Objects by UID and own id ---------------------------------------------------------------------------------------


def find_in(
    client: DavClient, codec: Codec, folder: str, own_ids: Collection[str], uids: Collection[str]
) -> Iterator[Found]:
    """The objects in one collection that have one of these UIDs or own ids (whole, or the link's part)."""
    found: dict[str, Stored] = {}
    exact = [path_in(folder, each, codec) for each in own_ids if "." in each]
    links = tuple(f"{each}." for each in own_ids if "." not in each)
    if links:
        exact += [each for each in _names(client, folder) if own_id_of(each, codec).startswith(links)]
    if exact:
        hits = objects(client, codec, dict.fromkeys(exact))
        found.update((each.path, each) for each in hits if isinstance(each, Stored))
    for each in _with_uids(client, codec, folder, uids):
        found.setdefault(each.path, each)
    wanted = frozenset(uids)
    for stored in found.values():
        content = parsed(codec, stored)
        if content is None:
            continue
        uid = uid_of(stored.data) if isinstance(content, Unreadable) else content.uid
        if uid in wanted or stored.path in exact:
            yield Found(stored.path, folder, stored.revision, uid, own_id_of(stored.path, codec))


def _names(client: DavClient, folder: str) -> list[str]:
    answer = client.multistatus("PROPFIND", folder, requests.ETAGS, depth=1)
    if isinstance(answer, Answer):
        raise not_dav(answer)
    return [each.path for each in answer.resources if not each.path.endswith("/")]


def _with_uids(client: DavClient, codec: Codec, folder: str, uids: Collection[str]) -> Iterator[Stored]:
    """Objects that may have one of these UIDs: servers search for parts of them too."""
    wanted = sorted(set(uids))
    if codec.kind is Kind.CONTACT:
        queries = [wanted[at : at + UIDS_PER_QUERY] for at in range(0, len(wanted), UIDS_PER_QUERY)]
    else:
        queries = [[each] for each in wanted] if len(wanted) <= QUERIES else [[]]
    for query in queries:
        answer = client.multistatus("REPORT", folder, requests.by_uid(codec.kind, query), depth=1)
        if isinstance(answer, Answer):
            if answer.status in (404, 410):
                return
            raise not_dav(answer)
        yield from _stored(answer, codec)


def find_in_bin(client: DavClient, codec: Codec, bin_path: str, uids: Collection[str]) -> Iterator[Found]:
    """The deleted objects with one of these UIDs."""
    wanted = frozenset(uids)
    return (each for each in in_bin(client, codec, bin_path) if each.uid in wanted)


def in_bin(client: DavClient, codec: Codec, bin_path: str) -> Iterator[Found]:
    """The deleted objects; what they were called before, the bin does not say."""
    answer = client.multistatus("REPORT", bin_path, requests.by_uid(codec.kind, ()), depth=1)
    if isinstance(answer, Answer):
        if answer.status in (404, 410):
            return
        raise not_dav(answer)
    for stored in _stored(answer, codec):
        content = parsed(codec, stored)
        uid = content.uid if isinstance(content, Parsed) else uid_of(stored.data)
        if content is not None:
            yield Found(stored.path, bin_path, stored.revision, uid, in_bin=True)


def uid_of(data: bytes) -> str:
    """The UID in an object that can't be read otherwise, as far as it can be seen."""
    match = re.search(rb"^UID(?:;[^:\r\n]*)?:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", data, re.MULTILINE | re.IGNORECASE)
    return re.sub(rb"\r?\n[ \t]", b"", match.group(1)).decode(errors="replace").strip() if match else ""


def is_path(id: str) -> bool:
    """Whether an id is one of ours: a path in its one spelling."""
    return id.startswith("/") and not id.endswith("/") and path_of(id) == id
