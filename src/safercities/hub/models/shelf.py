"""The shelf: which releases an observatory has. The folders on disk are the truth; this table can be made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models, transaction

from safercities.hub.models.work import SHA256, Observatory

if TYPE_CHECKING:
    from pathlib import Path

    from safercities.release.verify import Verified


class Release(models.Model):
    """One release of an observatory's chain, as it was verified."""

    observatory = models.ForeignKey(Observatory, on_delete=models.CASCADE, related_name="shelf")
    number = models.PositiveIntegerField()
    identity = models.CharField(max_length=64, validators=[SHA256])
    period = models.CharField(max_length=30)
    published = models.DateField()
    supersedes = models.CharField(max_length=64, null=True, blank=True, validators=[SHA256])
    reason = models.TextField(blank=True)
    folder = models.CharField(max_length=1000)
    #: When it came by the API; null where it was published here.
    received = models.DateTimeField(null=True, blank=True)
    #: Not in force any more: a later one corrects it, or its key is distrusted. It can still be read.
    withdrawn = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["observatory", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["observatory", "number"], name="one_release_a_number"),
            models.UniqueConstraint(fields=["observatory", "identity"], name="one_release_an_identity"),
        ]

    def __str__(self) -> str:
        return f"{self.observatory_id}/{self.number}"


def sync(observatory: Observatory) -> list[Verified]:
    """Verify the chain on disk and write down what it holds; give it.

    Raises
    ------
    SafercitiesError
        If something does not hold: also if the chain was rewritten or cut since it was last seen. Nothing is changed.
    """
    from safercities.release.chain import latest, verify_chain

    with transaction.atomic():
        locked = Observatory.objects.select_for_update().get(pk=observatory.pk)
        known = list(locked.shelf.order_by("number").values_list("identity", flat=True))
        chain = verify_chain(locked.releases, known=known)
        in_force = {each.id for each in latest(chain) if not each.distrusted}
        for each in chain:
            put(locked, each, each.path, withdrawn=each.id not in in_force)
    return chain


def put(observatory: Observatory, found: Verified, folder: Path, **more: object) -> None:
    """Write down one release, with what else is known of it."""
    said = found.manifest
    facts = {
        "identity": found.id,
        "period": said.period,
        "published": said.published,
        "supersedes": said.supersedes,
        "reason": said.reason or "",
        "folder": str(folder),
    }
    Release.objects.update_or_create(observatory=observatory, number=found.number, defaults={**facts, **more})
