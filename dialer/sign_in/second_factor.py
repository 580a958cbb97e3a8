"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes.

A code counts once: its time step must be newer than that of the last one, which one statement checks and stores. A
recovery code is a row, which its use deletes.
"""

import base64
import contextlib
import hashlib
import logging
import secrets
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib.auth.models import User
from django.db import transaction

from dialer.sign_in import journal, throttle
from dialer.sign_in.models import RecoveryCode, SecondFactor, Session
from dialer.workspaces.audit import Actor

log = logging.getLogger(__name__)

RECOVERY_CODES: Final = 10
_ISSUER: Final = "Ringback"
_DIGITS: Final = 6
_STEP_SECONDS: Final = 30
_SECRET_BYTES: Final = 20
_RECOVERY_BYTES: Final = 10
_GROUP: Final = 4


class WrongCode(Exception):
    """The code is wrong, expired, or was used before."""


class SetUpAlready(Exception):
    """The person has a second factor."""


def is_set_up(user: User) -> bool:
    return SecondFactor.objects.filter(user=user).exists()


def new_secret() -> str:
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def app_url(secret: str, username: str) -> str:
    """Return the URL that authenticator apps read from a QR code."""
    return _totp(secret).get_provisioning_uri(username, _ISSUER)


def set_up(user: User, secret: str, code: str, *, actor: Actor, now: datetime) -> list[str]:
    """Make ``secret`` the person's second factor, and return the recovery codes, which are not stored.

    Raises :class:`WrongCode` if ``code`` does not come from ``secret``, :class:`SetUpAlready`.
    """
    step = _step_of(secret, code, now=now)
    if step is None:
        raise WrongCode
    with transaction.atomic():
        _, is_new = SecondFactor.objects.get_or_create(
            user=user, defaults={"secret": secret, "last_step": step, "created_at": now}
        )
        if not is_new:
            raise SetUpAlready
        codes = _new_recovery_codes(user)
        journal.note(user, "set_up_second_factor", actor=actor, now=now)
    return codes


def verify(user: User, code: str, *, actor: Actor, now: datetime) -> None:
    """Take a code of the app or a recovery code; raises :class:`WrongCode`, ``throttle.Locked``.

    Must not run in a transaction: a wrong code leaves an entry.
    """
    try:
        throttle.attempt_code(user.pk)
    except throttle.Locked as locked:
        if locked.is_news:
            log.warning("sign_in.second_factor_locked user=%s address=%s", user.pk, actor.client.address)
            journal.note(user, "lock_second_factor", actor=actor, now=now)
        raise
    if not (_take(user, code, now=now) or _take_recovery_code(user, code, actor=actor, now=now)):
        log.warning("sign_in.second_factor_failed user=%s address=%s", user.pk, actor.client.address)
        journal.note(user, "fail_second_factor", actor=actor, now=now)
        raise WrongCode
    throttle.clear_code(user.pk)


def renew_recovery_codes(user: User, code: str, *, actor: Actor, now: datetime) -> list[str]:
    """Replace the recovery codes and return the new ones; raises as :func:`verify` does."""
    verify(user, code, actor=actor, now=now)
    with transaction.atomic():
        codes = _new_recovery_codes(user)
        journal.note(user, "renew_recovery_codes", actor=actor, now=now)
    return codes


def turn_off(user: User, code: str, *, actor: Actor, now: datetime) -> None:
    """Remove the second factor; raises as :func:`verify` does."""
    verify(user, code, actor=actor, now=now)
    with transaction.atomic():
        _remove(user)
        journal.note(user, "turn_off_second_factor", actor=actor, now=now)


def reset(user: User, *, actor: Actor, reason: str, now: datetime) -> bool:
    """Remove the second factor of somebody who lost it, and end their sessions; returns whether there was one."""
    with transaction.atomic():
        if not _remove(user):
            return False
        Session.objects.filter(user=user).delete()
        journal.note(user, "reset_second_factor", actor=actor, now=now, reason=reason)
    with contextlib.suppress(throttle.NotCountable):  # the lock ends by itself
        throttle.clear_code(user.pk)
    return True


def _remove(user: User) -> bool:
    RecoveryCode.objects.filter(user=user).delete()
    removed, _ = SecondFactor.objects.filter(user=user).delete()
    return bool(removed)


def _take(user: User, code: str, *, now: datetime) -> bool:
    factor = SecondFactor.objects.filter(user=user).first()
    step = None if factor is None else _step_of(factor.secret, code, now=now)
    if step is None:
        return False
    return bool(SecondFactor.objects.filter(user=user, last_step__lt=step).update(last_step=step))


def _take_recovery_code(user: User, code: str, *, actor: Actor, now: datetime) -> bool:
    with transaction.atomic():
        taken, _ = RecoveryCode.objects.filter(user=user, code_hash=_hash(code)).delete()
        if taken:
            left = RecoveryCode.objects.filter(user=user).count()
            journal.note(user, "use_recovery_code", actor=actor, now=now, to_state={"left": left})
    return bool(taken)


def _new_recovery_codes(user: User) -> list[str]:
    codes = [base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, code_hash=_hash(code)) for code in codes)
    return ["-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP)) for code in codes]


def _hash(code: str) -> bytes:
    # A random code of 80 bits needs no slow hash.
    return hashlib.sha256(code.replace("-", "").replace(" ", "").upper().encode()).digest()


def _step_of(secret: str, code: str, *, now: datetime) -> int | None:
    """Return the time step of a code: the present one, or one before or after, because clocks differ."""
    totp, given = _totp(secret), code.replace(" ", "").encode()
    step = int(now.timestamp()) // _STEP_SECONDS
    fits = [each for each in (step - 1, step, step + 1) if bytes_eq(totp.generate(each * _STEP_SECONDS), given)]
    return max(fits, default=None)


def _totp(secret: str) -> TOTP:
    return TOTP(base64.b32decode(secret), _DIGITS, SHA1(), _STEP_SECONDS)  # noqa: S303 # nosec B303 — what apps can do; HMAC needs no more
