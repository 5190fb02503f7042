"""The trail: who did what, when. Entries are only ever added, and each holds the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar, NoReturn

from django.db import connection, models, transaction
from django.utils import timezone

#: The hash before the first entry.
START = "0" * 64
#: PostgreSQL: whoever adds an entry holds this lock until the transaction ends.
_LOCK = 0x5AFE


class TrailError(TypeError):
    """Somebody tried to change what was done."""


class Trail(models.QuerySet["Event"]):
    """Entries. They cannot be changed or deleted, all together no more than one by one."""

    def _never(self, *args: object, **kwargs: object) -> NoReturn:
        raise TrailError("the trail only grows: nothing in it can be changed or deleted")

    update = delete = bulk_create = bulk_update = _raw_delete = _never


class Event(models.Model):
    """One entry: an actor, a verb, an object. `detail` holds no personal data, and no data of the observatory."""

    number = models.PositiveBigIntegerField(unique=True, editable=False)
    at = models.DateTimeField()
    actor = models.ForeignKey("hub.User", on_delete=models.PROTECT, null=True, related_name="+")
    actor_name = models.CharField(max_length=150)
    verb = models.CharField(max_length=60)
    observatory = models.ForeignKey("hub.Observatory", on_delete=models.PROTECT, null=True, related_name="events")
    object = models.CharField(max_length=200, blank=True)
    detail = models.JSONField(default=dict)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    objects: ClassVar = Trail.as_manager()

    class Meta:
        ordering: ClassVar = ["-number"]
        base_manager_name = "objects"
        indexes: ClassVar = [models.Index(fields=["observatory", "-number"], name="events_of_an_observatory")]

    def __str__(self) -> str:
        return f"{self.number} {self.verb}"

    @classmethod
    def record(
        cls,
        verb: str,
        *,
        actor: Any = None,
        observatory: Any = None,
        object: str = "",
        detail: dict[str, Any] | None = None,
    ) -> Event:
        """Add an entry, in the transaction that is open: what was done and its entry stand or fall together.

        Parameters
        ----------
        verb
            What was done, as `member.added` or `release.published`.
        actor
            The account; None where the hub acted itself.
        object
            What it was done to: a number or id, never a name or an address of a person.
        detail
            Facts that JSON can hold.
        """
        actor = actor if actor is not None and actor.pk else None
        with transaction.atomic():
            _wait_for_turn()
            last = cls.objects.order_by("-number").first()
            event = cls(
                number=last.number + 1 if last else 1,
                at=timezone.now(),
                actor=actor,
                actor_name=str(actor) if actor else "",
                verb=verb,
                observatory=observatory,
                object=object,
                detail=json.loads(json.dumps(detail or {})),
                previous=last.hash if last else START,
            )
            event.hash = event.expected_hash()
            event.save(force_insert=True)
        return event

    def expected_hash(self) -> str:
        """The hash that this entry should have, of everything that it says."""
        said = {
            "number": self.number,
            "at": self.at.isoformat(),
            "actor": self.actor_id,
            "actor_name": self.actor_name,
            "verb": self.verb,
            "observatory": self.observatory_id,
            "object": self.object,
            "detail": self.detail,
            "previous": self.previous,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=True).encode()).hexdigest()

    @classmethod
    def broken(cls) -> int | None:
        """Number of the first entry that is missing or was changed; None where the trail holds.

        That its last entries were cut off shows only beside a copy: backups hold one.
        """
        previous = START
        for number, event in enumerate(cls.objects.order_by("number").iterator(), start=1):
            if (event.number, event.previous, event.hash) != (number, previous, event.expected_hash()):
                return number
            previous = event.hash
        return None

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Only once."""
        if not self._state.adding:
            raise TrailError("the trail only grows: an entry cannot be changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Never."""
        raise TrailError("the trail only grows: an entry cannot be deleted")


def _wait_for_turn() -> None:
    """One writer at a time. SQLite's transactions take that lock when they begin."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
