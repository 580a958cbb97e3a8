"""How people sign in to the admin: limited attempts, the second factor, sessions, and the audit of these."""
