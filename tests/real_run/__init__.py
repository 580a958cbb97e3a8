"""One real run: the processes of the Procfile at work, driven as an integrator drives them.

Judged by what the world saw of them, the carrier in its ledger and a receiver of webhooks in its file, never by the
product's own rows. ``make real-run`` runs it alone.
"""
