"""The embedded servers, by what the operating system says of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from config.local.servers import EmbeddedServers, FolderTaken
from config.local.settings import read_json, write_json
from tests.config.processes import belonging_to, eventually, folder_of_ours, listening, start


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give a data folder in which a database cluster exists, stopped."""
    with folder_of_ours() as ours:
        folder = ours / "data"
        with EmbeddedServers(folder) as servers, psycopg.connect(servers.database_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        yield folder


def test_data_passwords_and_ports_stay_from_one_start_to_the_next(folder: Path) -> None:
    with EmbeddedServers(folder) as servers:
        first = (servers.database_url, servers.redis_url)
    with EmbeddedServers(folder) as servers, psycopg.connect(servers.database_url) as connection:
        answer = connection.execute("SELECT answer FROM kept").fetchone()

        assert (servers.database_url, servers.redis_url) == first
        assert answer == (42,)


def test_both_are_of_the_promised_versions_and_keep_what_they_are_told(folder: Path) -> None:
    with EmbeddedServers(folder) as servers, psycopg.connect(servers.database_url) as connection:
        client = redis.Redis.from_url(servers.redis_url, decode_responses=True)
        settings: dict[str, str] = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())

        assert settings["server_version"].startswith("18.")
        assert (settings["fsync"], settings["synchronous_commit"], settings["max_connections"]) == ("on", "on", "300")
        assert client.info("server")["valkey_version"].startswith("9.")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        client.close()


def test_nobody_gets_in_without_the_password(folder: Path) -> None:
    with EmbeddedServers(folder) as servers:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(servers.database_url.replace(":", ":x", 2).replace(":x//", "://"))
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(f"redis://127.0.0.1:{servers.redis_url.rpartition(':')[2]}").ping()


def test_one_folder_has_one_owner_and_others_read_its_addresses(folder: Path) -> None:
    with EmbeddedServers(folder) as servers:
        other = EmbeddedServers(folder)

        with pytest.raises(FolderTaken, match="another process"), other:
            pass
        assert other.database_url == servers.database_url


def test_a_pid_file_of_before_is_not_believed(folder: Path) -> None:
    (folder / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'postgres'}\n")

    with EmbeddedServers(folder) as servers, psycopg.connect(servers.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_taken_port_is_replaced(folder: Path) -> None:
    with EmbeddedServers(folder) as servers:
        kept = servers.database_url
    other = folder.with_name("other")
    other.mkdir()
    write_json(other / "servers.json", read_json(folder / "servers.json"))

    with EmbeddedServers(folder) as first, EmbeddedServers(other) as second:
        assert first.database_url == kept
        assert second.database_url != kept


def test_a_server_that_dies_is_started_again(folder: Path) -> None:
    with EmbeddedServers(folder) as servers:
        os.kill(int((folder / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        fallen: list[str] = []

        def has_revived() -> bool:
            fallen.extend(servers.revive())
            return bool(fallen)

        eventually(has_revived, what="the end is noticed")

        assert fallen == ["postgres"]
        with psycopg.connect(servers.database_url) as connection:
            assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_command_beside_temporary_servers_gets_their_addresses_and_leaves_nothing(tmp_path: Path) -> None:
    code = "import os; print(os.environ['DATA_DIR'], os.environ['DATABASE_URL']); raise SystemExit(7)"

    done = subprocess.run(  # noqa: S603 — our own module
        [sys.executable, "-m", "config.local.servers", "exec", "--temporary", "--", sys.executable, "-c", code],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    folder, url = done.stdout.split()
    assert done.returncode == 7
    assert Path(folder).parent == tmp_path
    assert url.startswith("postgresql://ringback:")
    assert url != os.environ.get("DATABASE_URL")
    assert list(tmp_path.iterdir()) == []
    assert belonging_to(tmp_path) == []


def test_a_command_beside_servers_that_run_gets_their_addresses_and_leaves_them_running(folder: Path) -> None:
    code = "import os; print(os.environ['DATABASE_URL'], os.environ['BROKER_URL'])"
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}

    with EmbeddedServers(folder) as servers:
        done = subprocess.run(  # noqa: S603 — our own module
            [sys.executable, "-m", "config.local.servers", "exec", "--", sys.executable, "-c", code],
            env={**environment, "DATA_DIR": str(folder)},
            capture_output=True,
            text=True,
            check=True,
        )

        assert done.stdout.split() == [servers.database_url, servers.redis_url]
        assert servers.revive() == []


def test_temporary_servers_of_a_killed_command_stop_and_delete_their_data(tmp_path: Path) -> None:
    output = tmp_path / "output"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    arguments = ("exec", "--temporary", "--", sys.executable, "-uc", "print('up'); import time; time.sleep(600)")
    command = start("config.local.servers", *arguments, folder=tmp_path / "unused", output=output, TMPDIR=str(scratch))
    eventually(lambda: b"up" in output.read_bytes() or command.poll() is not None, what="the command runs")
    port = int(read_json(next(scratch.iterdir()) / "servers.json")["postgres_port"])
    assert listening(port)

    command.kill()
    command.wait()

    eventually(lambda: not belonging_to(scratch), what="no process is left")
    eventually(lambda: not list(scratch.iterdir()), what="no data is left")
    assert not listening(port)


def test_starting_over_deletes_what_is_ours_and_not_in_use(folder: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    ours = folder.with_name("to-forget")
    with EmbeddedServers(ours):
        while_running = reset(ours)
    forgotten = reset(ours)

    assert (while_running.returncode, forgotten.returncode, reset(foreign).returncode) == (1, 0, 1)
    assert "another process" in while_running.stderr
    assert (ours.exists(), foreign.exists()) == (False, True)


def reset(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "config.local.servers", "reset"],
        env={**os.environ, "DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
