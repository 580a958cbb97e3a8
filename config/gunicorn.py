"""The configuration file of gunicorn."""

from config.env import env

bind = f"{env('HOST')}:{env('PORT')}"
workers = env("WEB_PROCESSES")
worker_class = "config.web_worker.WebWorker"
threads = max(4, env("DATABASE_POOL_SIZE"))
timeout = 60
graceful_timeout = 10
keepalive = 15
max_requests = 50_000  # a restart limits memory leaks,
max_requests_jitter = 5_000  # and not all processes restart at once
control_socket_disable = True
