"""Two weeks of calling in virtual time: the shipped engine on a real PostgreSQL, judged by a checker of its own."""
