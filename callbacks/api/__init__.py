"""The callback queue over HTTP."""
