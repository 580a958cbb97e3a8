"""Sessions, second factors and recovery codes of people."""

from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import Q

from dialer.workspaces.client import LONGEST_AGENT
from dialer.workspaces.encryption import EncryptedTextField


class OfPerson(models.QuerySet["Session"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Return the sessions in which somebody is signed in: one's own; a superuser sees all."""
        signed_in = self.filter(began_at__isnull=False)
        return signed_in if getattr(user, "is_superuser", False) else signed_in.filter(user_id=user.pk)


class Session(AbstractBaseSession):
    """A session of Django, found by the hash of its key; ``store`` reads and writes it.

    The columns besides Django's are empty until the person has signed in, with the second factor if there is one.
    """

    session_key = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of what the cookie holds")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="sessions")
    address = models.GenericIPAddressField(null=True)
    agent = models.CharField(max_length=LONGEST_AGENT, blank=True)
    began_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()

    objects = OfPerson.as_manager()  # type: ignore[assignment,misc] # the base's serves Django's own store

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(began_at=None) | Q(user__isnull=False), name="session_began_by_somebody")
        ]

    def __str__(self) -> str:
        return f"{self.user} since {self.began_at}"


class SecondFactor(models.Model):
    """The secret that a person's authenticator app shares with us; without this row there is no second factor."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="second_factor")
    secret = EncryptedTextField()
    last_step = models.BigIntegerField(help_text="Of the newest code that was taken; older ones are refused")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Second factor of {self.user}"


class RecoveryCode(models.Model):
    """A code to sign in with once, if the app is lost; deleted when it is used."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes")
    code_hash = models.BinaryField(max_length=32, unique=True)

    def __str__(self) -> str:
        return f"Recovery code of {self.user}"
