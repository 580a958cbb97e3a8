"""How gunicorn serves; read by gunicorn itself."""

from config.env import env

bind = f"{env('HOST')}:{env('PORT')}"
workers = env("WEB_PROCESSES")
worker_class = "gthread"
threads = max(4, env("DATABASE_POOL_SIZE"))
timeout = 60
graceful_timeout = 10
keepalive = 15
max_requests = 50_000  # a leak of anybody's is not for ever,
max_requests_jitter = 5_000  # and not all start anew at once
control_socket_disable = True
