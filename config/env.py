"""All settings of the environment with their types and defaults; ``.env.example`` explains them."""

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
    SECRET_KEY_FALLBACKS=(list, []),
    ENCRYPTION_KEYS=(list, []),
    NUMBER_HASH_KEY=(str, ""),
    METRICS_TOKEN=(str, ""),
    # Web
    DEBUG=(bool, False),
    HOST=(str, "0.0.0.0"),  # noqa: S104 — every address: a container's only one is not known before
    PORT=(int, 8000),
    WEB_PROCESSES=(int, 2),
    PUBLIC_URL=(str, ""),
    ALLOWED_HOSTS=(list, []),
    BEHIND_TLS=(bool, True),
    TRUSTED_PROXIES=(list, []),
    # Processes
    PROCESS=(str, "command"),
    LOG_LEVEL=(str, "INFO"),
    DATABASE_POOL_SIZE=(int, 0),
    LOCK_TIMEOUT_SECONDS=(int, 5),
    STATEMENT_TIMEOUT_SECONDS=(int, 60),
    IDLE_TRANSACTION_TIMEOUT_SECONDS=(int, 30),
    # API
    API_RATE_PER_MINUTE=(int, 6_000),
    # Dialling
    CALL_LISTENER=(str, "callbacks.follow_ups.Callbacks"),
    HORIZON_SECONDS=(int, 30),
    LEASE_SECONDS=(int, 30),
    CAMPAIGN_COMPLETION_GRACE_SECONDS=(int, 300),
    CARRIER_REQUESTS_AT_ONCE=(int, 16),
    CARRIER_SIMULATED_CLASS=(str, "dialer.carriers.simulated.SimulatedCarrier"),
    TWILIO_API_URL=(str, "https://api.twilio.com"),
    TWILIO_MACHINE_DETECTION=(bool, True),
    SIMULATED_CARRIER_URL=(str, ""),
    SIMULATED_CARRIER_SECRET=(str, ""),
    SIMULATED_CARRIER_LEDGER=(str, ""),
    # Imports
    IMPORT_LARGEST_FILE_MB=(int, 200),
    IMPORT_MOST_LINES=(int, 1_000_000),
    IMPORTS_AT_ONCE=(int, 5),
    # Webhooks
    WEBHOOK_HEADER_PREFIX=(str, "X-Kejue"),
    WEBHOOK_ALLOWED_NETWORKS=(list, []),
    WEBHOOK_DNS_SERVERS=(list, []),
    WEBHOOK_CA_FILE=(str, ""),
    # Local runs and tests
    LOCAL_RUN=(bool, False),
    DATA_DIR=(str, ".data"),
    DEMO=(bool, False),
    DEMO_API_KEY=(str, ""),
    DEMO_PASSWORD=(str, ""),
    TEST_DATABASE_NAME=(str, "test_ringback"),
)

environ.Env.read_env(BASE_DIR / ".env")  # where there is one; the environment wins over it
