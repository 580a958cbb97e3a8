"""Webhooks over HTTP: endpoints, their verbs, and what was delivered."""
