"""The base of the REST API: keys, scopes, one shape of errors, pages, rate limits, idempotency."""
