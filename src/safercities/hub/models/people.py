"""People: an account is an e-mail address and a name; what it may do, its memberships say."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """What somebody is in an observatory; `access.RIGHTS` says what that lets them do."""

    VIEWER = "viewer", _("Viewer")
    AUDITOR = "auditor", _("Auditor")
    ANALYST = "analyst", _("Analyst")
    REVIEWER = "reviewer", _("Reviewer")
    PUBLISHER = "publisher", _("Publisher")
    HUB_ADMIN = "hub_admin", _("Hub administrator")


class UserManager(BaseUserManager["User"]):
    """Makes accounts."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """An account; without a password nobody can sign in to it until one is set by its link."""
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, email: str | None) -> User:
        """By the address, however it is written."""
        return self.get(email=(email or "").strip().lower())


class User(AbstractBaseUser):
    """An account. It is closed rather than deleted: the trail of what was done has to stay whole."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=150, blank=True)
    is_active = models.BooleanField(_("may sign in"), default=True)
    created = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("account")
        constraints: ClassVar = [models.UniqueConstraint(Lower("email"), name="one_account_an_address")]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep addresses in one writing."""
        self.email = self.email.strip().lower()
        super().save(*args, **kwargs)

    def __str__(self) -> str:
        return self.name or f"#{self.pk}"  # never the address: texts of objects end in logs and titles


class Membership(models.Model):
    """A role of somebody in an observatory; of hub administrators, in all."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    observatory = models.ForeignKey(
        "hub.Observatory", on_delete=models.CASCADE, related_name="memberships", null=True, blank=True
    )
    role = models.CharField(max_length=20, choices=Role.choices)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "observatory", "role"], name="one_membership_a_role"),
            models.UniqueConstraint(fields=["user"], condition=Q(observatory=None), name="hub_admin_once"),
            models.CheckConstraint(
                condition=Q(role=Role.HUB_ADMIN, observatory=None)
                | (~Q(role=Role.HUB_ADMIN) & Q(observatory__isnull=False)),
                name="hub_admins_everywhere_others_in_one",
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.role} ({self.observatory_id or 'hub'})"
