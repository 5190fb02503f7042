"""Work: observatories, the files that were brought to them, the jobs that run on them, and what is proposed."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

SLUG = RegexValidator(r"\A[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\Z", _("Small letters a–z, digits and hyphens only."))
#: Names that pages of the workbench itself have: no observatory may be called so.
TAKEN = frozenset({"new", "tokens"})
SHA256 = RegexValidator(r"\A[0-9a-f]{64}\Z")


class Observatory(models.Model):
    """An observatory folder that the hub knows. The folder is the truth; this is its place in the web."""

    slug = models.CharField(_("name in addresses"), max_length=60, unique=True, validators=[SLUG])
    folder = models.CharField(max_length=1000, unique=True)
    name = models.CharField(_("name"), max_length=200)
    place_id = models.CharField(max_length=100)
    public = models.BooleanField(_("anybody may read its releases"), default=True)
    two_person = models.BooleanField(_("a second person approves what is published"), default=False)
    demo = models.BooleanField(default=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name", "slug"]
        verbose_name_plural = "observatories"

    def __str__(self) -> str:
        return self.slug

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)

    @property
    def releases(self) -> Path:
        """Folder of its releases."""
        return self.path / "releases"


class Upload(models.Model):
    """A file that somebody brought. The name is theirs: it is shown, and never used as a path."""

    observatory = models.ForeignKey(Observatory, on_delete=models.CASCADE, related_name="uploads")
    name = models.CharField(max_length=255)
    stored = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64, validators=[SHA256])
    size = models.PositiveBigIntegerField()
    by = models.ForeignKey("hub.User", on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["observatory", "stored"], name="one_upload_a_stored_file")
        ]

    def __str__(self) -> str:
        return f"{self.observatory_id}/{self.pk}"


class Job(models.Model):
    """Something that takes time: what runs, how far it is, how it ended. Its steps are whole or not at all on disk."""

    class Kind(models.TextChoices):
        """What is done."""

        CHECK = "check", _("Check")
        MEASURE = "measure", _("Measure")
        PROTECT = "protect", _("Preview of a release")
        PUBLISH = "publish", _("Publish")
        SUPERSEDE = "supersede", _("Correct a release")
        FIGURES = "figures", _("Prepare the public pages")
        COMPARE = "compare", _("Compare two releases")

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    #: States that nothing follows.
    ENDED: ClassVar = (State.DONE, State.FAILED, State.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    observatory = models.ForeignKey(Observatory, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    state = models.CharField(max_length=20, choices=State.choices, default=State.WAITING)
    step = models.CharField(max_length=100, blank=True)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(null=True, blank=True)
    message = models.TextField(blank=True)
    problems = models.JSONField(default=list, blank=True)
    result = models.JSONField(default=dict, blank=True)
    by = models.ForeignKey("hub.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True, blank=True)
    ended = models.DateTimeField(null=True, blank=True)
    heartbeat = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    #: What was asked for beside the kind: the proposal that is published, the releases that are compared.
    what = models.JSONField(default=dict, blank=True)
    #: Somebody asked to stop it.
    cancel = models.BooleanField(default=False)
    #: Word of the run that holds it: whoever has another one lost the job, and writes nothing more to it.
    lease = models.CharField(max_length=32, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-created"]
        indexes: ClassVar = [models.Index(fields=["observatory", "-created"], name="jobs_of_an_observatory")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["observatory"], condition=Q(state="running"), name="one_running_job"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Proposal(models.Model):
    """Something to be published. What was seen in the preview is what is published, or nothing: see `fingerprint`."""

    class Kind(models.TextChoices):
        """What is proposed."""

        PUBLISH = "publish", _("Publish")
        SUPERSEDE = "supersede", _("Correct a release")

    class State(models.TextChoices):
        """How far it is."""

        DRAFT = "draft", _("Draft")
        PREVIEWED = "previewed", _("Previewed")
        WAITING = "waiting", _("Waiting for a second person")
        APPROVED = "approved", _("Approved")
        REFUSED = "refused", _("Refused")
        PUBLISHED = "published", _("Published")
        FAILED = "failed", _("Failed")

    #: States that nothing follows.
    ENDED: ClassVar = (State.REFUSED, State.PUBLISHED, State.FAILED)

    observatory = models.ForeignKey(Observatory, on_delete=models.CASCADE, related_name="proposals")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    supersedes = models.CharField(max_length=64, null=True, blank=True, validators=[SHA256])
    reason = models.TextField(_("reason"), blank=True, max_length=2000)
    state = models.CharField(max_length=20, choices=State.choices, default=State.DRAFT)
    proposed_by = models.ForeignKey("hub.User", on_delete=models.PROTECT, related_name="+")
    decided_by = models.ForeignKey("hub.User", on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, blank=True, related_name="proposals")
    #: Of observatory.toml and of every file that it names, as they were when the preview was made.
    fingerprint = models.CharField(max_length=64, blank=True, validators=[SHA256])
    #: The release that was the last one then; and the hash of the estimates that the preview came to.
    head = models.CharField(max_length=64, blank=True, validators=[SHA256])
    seal = models.CharField(max_length=64, blank=True, validators=[SHA256])
    #: What the preview told: counts only.
    seen = models.JSONField(default=dict, blank=True)
    #: Whether a second person was asked for. It can become so, and then stays.
    two_person = models.BooleanField(default=False)
    answer = models.TextField(_("answer"), blank=True, max_length=2000)
    created = models.DateTimeField(auto_now_add=True)
    decided = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created", "-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=(Q(kind="supersede") & Q(supersedes__isnull=False) & ~Q(reason=""))
                | Q(kind="publish", supersedes=None),
                name="corrections_say_what_and_why",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "refused", "published"]) | Q(decided_by__isnull=False),
                name="decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "refused", "failed"]) | ~Q(fingerprint=""),
                name="nothing_unseen_goes_on",
            ),
            models.CheckConstraint(
                condition=Q(two_person=False) | Q(decided_by=None) | ~Q(decided_by=F("proposed_by")),
                name="two_people_are_two",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
