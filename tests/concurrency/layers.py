"""The layers that keep a call from being made twice or against a stop, each as a mutant that takes out only it.

A layer is a lock, a look or a constraint; removing it means rewriting every statement that it lives in, or dropping its
indexes. Layers can be removed together.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connection

from tests.concurrency.interleaving import Rewrites

_NEVER_RUNS_OUT = "now() + interval '9 years' AS lease_until"
_RISES = ("generation = c.generation + 1", "generation = c.generation")
_RISES_BARE = ("generation = generation + 1", "generation = generation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What is taken out with it: parts of statements, unique indexes."""

    rewrites: Rewrites = field(default_factory=dict)
    indexes: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


LAYERS = {
    "workspace's claim lock": Layer(
        rewrites={"lock_claiming_workspaces": (("FOR NO KEY UPDATE SKIP LOCKED", ""),)},
    ),
    "claim's row lock": Layer(
        rewrites={
            "take_due_of_campaigns": (("FOR NO KEY UPDATE OF q SKIP LOCKED", ""),),
            "take_due_of_workspaces": (("FOR NO KEY UPDATE OF q SKIP LOCKED", ""),),
        },
    ),
    "claim's guard": Layer(
        rewrites={"lease_calls": (("c.status IS NOT DISTINCT FROM 'queued'", "true"),)},
        checks=("call_lease_only_while_queued",),
    ),
    "number's lock": Layer(
        rewrites={"lock_numbers": (("pg_advisory_xact_lock(k)", "k"),)},
    ),
    "campaign's share lock": Layer(
        rewrites={"share_campaigns": (("FOR SHARE", ""),), "share_campaign": (("FOR SHARE", ""),)},
    ),
    "campaign's row lock": Layer(
        rewrites={
            # Of the sweep that completes, and of whoever adds contacts.
            'SELECT "dialer_campaign"."id"…FOR NO KEY UPDATE SKIP LOCKED': (("FOR NO KEY UPDATE SKIP LOCKED", ""),),
            'SELECT "dialer_campaign"."id"…FOR NO KEY UPDATE OF "dialer_campaign"': (
                ('FOR NO KEY UPDATE OF "dialer_campaign"', ""),
            ),
        },
    ),
    "job's row lock": Layer(
        rewrites={
            'SELECT "callbacks_bulkrow"."id"…FOR UPDATE SKIP LOCKED': (("FOR UPDATE SKIP LOCKED", ""),),
            'SELECT "dialer_import"."id"…FOR NO KEY UPDATE': (
                ('FOR NO KEY UPDATE OF "dialer_import" SKIP LOCKED', ""),
            ),
        },
    ),
    "call's row lock": Layer(
        rewrites={
            "lock_call_contexts": (("FOR NO KEY UPDATE OF c", ""),),
            "lock_open_calls": (("FOR NO KEY UPDATE", ""),),
            "withdraw_calls": (("FOR NO KEY UPDATE", ""),),
        },
    ),
    "status": Layer(
        rewrites={"lock_call_contexts": (("c.status,", "'queued' AS status,"),)},
    ),
    "generation": Layer(
        rewrites={
            "lease_calls": (_RISES,),
            "release_expired_leases": (_RISES,),
            "release_claims": (_RISES_BARE,),
            "withdraw_calls": (_RISES,),
            "hold_calls": (_RISES,),
        },
    ),
    "lease": Layer(
        rewrites={"lock_call_contexts": (("c.lease_until,", f"{_NEVER_RUNS_OUT},"),)},
    ),
    "live calls": Layer(
        rewrites={
            "live_calls": (
                ("AND l.dialing_at IS NOT NULL", "AND false"),
                ("WHERE l.contact_id = t.contact_id", "WHERE false"),
            ),
        },
    ),
    "campaign's status": Layer(
        rewrites={"lock_call_contexts": (("k.status AS campaign_status", "'running' AS campaign_status"),)},
    ),
    "suppression": Layer(
        rewrites={
            "lock_call_contexts": (
                ("EXISTS (SELECT FROM dialer_suppression", "false AND EXISTS (SELECT FROM dialer_suppression"),
            ),
        },
    ),
    "update's guard": Layer(
        rewrites={
            "take_to_dialing": (("AND c.generation = t.generation AND c.status IS NOT DISTINCT FROM 'queued'", ""),),
        },
    ),
    "unique indexes": Layer(
        indexes=(
            "call_one_live_per_number",
            "call_one_live_per_contact",
            "call_one_queued_per_campaign_contact",
            "callback_one_pending_per_contact_and_campaign",
        ),
    ),
}


CONSTRAINTS = frozenset(name for name, layer in LAYERS.items() if layer.indexes or layer.checks)
WATCHED: Rewrites = {statement: () for layer in LAYERS.values() for statement in layer.rewrites}
"""Every statement in which a layer lives, unchanged."""


def met_by(statements: Collection[str]) -> frozenset[str]:
    """Return the layers that a race with these statements comes by; any may come by an index."""
    return frozenset(
        name for name, layer in LAYERS.items() if layer.indexes or not layer.rewrites.keys().isdisjoint(statements)
    )


def without(names: Collection[str]) -> Rewrites:
    """Return the rewrites that take out these layers, those of one statement one after the other."""
    rewrites: dict[str, tuple[tuple[str, str], ...]] = {}
    for name in names:
        for statement, replacements in LAYERS[name].rewrites.items():
            rewrites[statement] = rewrites.get(statement, ()) + replacements
    return rewrites


@contextmanager
def dropped_constraints(names: Collection[str]) -> Iterator[None]:
    """Drop the constraints of these layers, and put them back when no row can be in their way any more."""
    layers = [LAYERS[name] for name in names]
    indexes = [index for layer in layers for index in layer.indexes]
    checks = [check for layer in layers for check in layer.checks]
    if not indexes and not checks:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT indexdef, format('DROP INDEX %%I', indexname) FROM pg_indexes WHERE indexname = ANY(%(names)s)
            UNION ALL
            SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', conrelid::regclass, conname,
                pg_get_constraintdef(oid)), format('ALTER TABLE %%s DROP CONSTRAINT %%I', conrelid::regclass, conname)
            FROM pg_constraint WHERE conname = ANY(%(names)s)
            """,
            {"names": [*indexes, *checks]},
        )
        statements = cursor.fetchall()
        assert len(statements) == len(indexes) + len(checks), statements
        for _, drop in statements:
            cursor.execute(drop)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE dialer_call, callbacks_callback CASCADE")
            for restore, _ in statements:
                cursor.execute(restore)
