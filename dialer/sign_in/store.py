"""The session store: Django's own in the database, under a hash of the key, with who signed in, when and from where.

Whoever reads the table learns no key that a cookie could carry. Deleting a row ends the session. Only the synchronous
half of Django's store is changed: the web process is WSGI, which never calls the other.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from dialer.sign_in.models import Session

SIGNED_IN = "signed_in"
"""The key of what ``sessions.begin`` stores: when, and from where."""
_SEEN_STEP = timedelta(minutes=1)
"""The shortest time between two writes of ``seen_at``, so that most requests cost no write."""


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def load(self) -> dict[str, Any]:
        now = timezone.now()
        row = Session.objects.filter(pk=hashed(self.session_key or ""), expire_date__gt=now).first()
        if row is None:
            self._session_key = None
            return {}
        if now - row.seen_at > _SEEN_STEP:
            Session.objects.filter(pk=row.pk).update(seen_at=now)
        data: dict[str, Any] = self.decode(row.session_data)
        return data

    def exists(self, session_key: str | None) -> bool:
        return Session.objects.filter(pk=hashed(session_key or "")).exists()

    def create_model_instance(self, data: Mapping[str, Any]) -> Session:
        began: Mapping[str, str] = data.get(SIGNED_IN, {})
        return Session(
            session_key=hashed(self._get_or_create_session_key()),  # type: ignore[attr-defined] # the stubs lack it
            session_data=self.encode(dict(data)),
            expire_date=self.get_expiry_date(),
            user_id=data.get(SESSION_KEY),
            address=began.get("address"),
            agent=began.get("agent", ""),
            began_at=datetime.fromisoformat(began["at"]) if began else None,
            seen_at=timezone.now(),
        )

    def delete(self, session_key: str | None = None) -> None:
        Session.objects.filter(pk=hashed(session_key or self.session_key or "")).delete()


def hashed(session_key: str) -> str:
    # A random key of 165 bits needs no slow hash: there is nothing to guess.
    return hashlib.sha256(session_key.encode()).hexdigest()
