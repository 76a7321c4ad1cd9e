"""Writes down a database in the middle of everything, as it was under a former schema.

    .venv/bin/python -m tests.upgrades.record 0001_initial > tests/upgrades/0001_initial.json

Do this with the release whose schema it is: its engine makes the rows. What is written down stays as it is then.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main(schema: str) -> None:
    """Print the rows under this schema, all servers, and what is there in the end."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from lab.chaos.player import repeatable
    from tests.upgrades.rows import written as written_rows
    from tests.upgrades.scenes import SCENES, end
    from tests.upgrades.schema import migrate
    from tests.upgrades.town import OwnTown, written

    migrate()
    with repeatable():
        towns = {name: OwnTown(uid=name) for name in SCENES}
        for name, play in SCENES.items():
            play(towns[name])
    servers = {name: written(town) for name, town in towns.items()}
    rows = written_rows(migrate(schema))
    migrate()
    expected = {name: end(town) for name, town in towns.items()}
    sys.stdout.write(_lines({"rows": _lines_of(rows), "servers": _one_each(servers), "expected": _one_each(expected)}))


def _lines(parts: dict[str, str]) -> str:
    """An object of parts that are JSON already."""
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {part}" for name, part in parts.items()) + "\n}\n"


def _one_each(values: dict[str, Any]) -> str:
    """An object with a line for each value."""
    return _lines({name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}).strip()


def _lines_of(rows: dict[str, list[dict[str, Any]]]) -> str:
    """An object of lists with a line for each row."""
    told = {name: ",\n".join(json.dumps(row, ensure_ascii=False) for row in some) for name, some in rows.items()}
    return _lines({name: f"[\n{some}\n]" if some else "[]" for name, some in told.items()}).strip()


if __name__ == "__main__":
    main(sys.argv[1])
