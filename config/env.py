"""Every setting that the environment may give, with its type and default; ``.env.example`` says what each means."""

from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parents[1]

env = environ.Env(
    # Servers
    DATABASE_URL=(str, ""),
    REDIS_URL=(str, ""),
    BROKER_URL=(str, ""),
    # Secrets
    SECRET_KEY=(str, ""),
    ENCRYPTION_KEYS=(list, []),
    # Web
    DEBUG=(bool, False),
    ALLOWED_HOSTS=(list, []),
    CSRF_TRUSTED_ORIGINS=(list, []),
    BEHIND_TLS=(bool, True),
    TRUSTED_PROXIES=(int, 0),
    PORT=(int, 8000),
    PUBLIC_URL=(str, ""),
    # Processes
    PROCESS=(str, "command"),
    TEST_DATABASE_NAME=(str, "test_ringback"),
    DATABASE_POOL_SIZE=(int, 0),
    STATEMENT_TIMEOUT_SECONDS=(int, 30),
    LOG_LEVEL=(str, "INFO"),
    # Dialling
    CALL_PROMISES=(str, "callbacks.follow_ups.Callbacks"),
    HORIZON_SECONDS=(int, 30),
    LEASE_SECONDS=(int, 30),
    CAMPAIGN_COMPLETION_GRACE_SECONDS=(int, 300),
    SIMULATED_CARRIER_URL=(str, ""),
    SIMULATED_CARRIER_SECRET=(str, ""),
    SIMULATED_CARRIER_LEDGER=(str, ""),
    # Webhooks
    WEBHOOK_HEADER_PREFIX=(str, "X-Kejue"),
    WEBHOOK_ALLOWED_NETWORKS=(list, []),
    # A run on one's own machine
    DATA_DIR=(str, ".data"),
    DEMO=(bool, True),
    DEMO_API_KEY=(str, ""),
)

environ.Env.read_env(BASE_DIR / ".env")
