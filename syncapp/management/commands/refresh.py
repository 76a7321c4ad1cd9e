"""Read the list of people once, now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from syncapp.jobs import refresh, resting
from syncapp.startup import check_ready


class Command(BaseCommand):
    """What the workers do every REFRESH_INTERVAL, in the foreground."""

    help = "Read the service accounts file and Nextcloud's list of people who consented, now."

    def handle(self, *args: Any, **options: Any) -> None:
        """Read both and say what came of it. Raises CommandError when one could not be read."""
        check_ready()
        self.stdout.write("Reading the service accounts file and Nextcloud's list of people ...")
        file_sentence = refresh.import_file()
        resting.server_answered(resting.NEXTCLOUD, resting.NEXTCLOUD_ADMIN)
        result = refresh.refresh(timezone.now())
        if sentences := [sentence for sentence in (file_sentence, result.sentence) if sentence]:
            raise CommandError(" ".join(sentences))
        self.stdout.write(f"{result.listed} people are listed, {result.absent} are newly absent.")
        self.stdout.write("Next: approve those who wait on the overview page; the workers do the rest.")
