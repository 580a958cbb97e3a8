"""The limits of sending: the same requests posted in a loop by libcurl and by requests, without database or signing."""

import itertools
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from io import BytesIO

import pycurl
import requests

PARALLEL = 128
THREADS = 32
_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": "bench",
    "webhook-id": "evt_0190f5b2c6a77c3e8a54d0c6f0a1b2c3",
    "webhook-timestamp": "1790000000",
    "webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
}
_BODY = ('{"number":0,"transcript":"' + "x" * 960 + '"}').encode()

Post = Callable[[Sequence[int], int], float]
"""Posts so many requests to receivers in turn; returns the CPU seconds that it used."""


def posts_per_second(post: Post, ports: Sequence[int], count: int, *, processes: int) -> tuple[float, float]:
    """Return requests per second, and the milliseconds of the senders' CPU for each."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        list(pool.map(post, [ports] * processes, [len(ports)] * processes))  # starts the processes
        began = time.monotonic()
        used = list(pool.map(post, [ports] * processes, [count // processes] * processes))
        took = time.monotonic() - began
    return count / took, 1000 * sum(used) / count


def by_libcurl(ports: Sequence[int], count: int) -> float:
    began = time.process_time()
    multi = pycurl.CurlMulti()
    urls = itertools.cycle([f"http://127.0.0.1:{port}/" for port in ports])
    idle = [_curl() for _ in range(PARALLEL)]
    begun = ended = 0
    while ended < count:
        while idle and begun < count:
            curl = idle.pop()
            curl.setopt(pycurl.URL, next(urls))
            multi.add_handle(curl)
            begun += 1
        multi.perform()
        multi.select(0.01)
        _, done, failed = multi.info_read()
        assert not failed, failed
        for curl in done:
            multi.remove_handle(curl)
            idle.append(curl)
        ended += len(done)
    return time.process_time() - began


def by_requests(ports: Sequence[int], count: int) -> float:
    began = time.process_time()
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=len(ports), pool_maxsize=THREADS))

    def post(port: int) -> None:
        session.post(f"http://127.0.0.1:{port}/", data=_BODY, headers=_HEADERS, timeout=5).raise_for_status()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(post, itertools.islice(itertools.cycle(ports), count)))
    return time.process_time() - began


def _curl() -> "pycurl.Curl":
    curl = pycurl.Curl()
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.POST, 1)
    curl.setopt(pycurl.POSTFIELDS, _BODY)
    curl.setopt(pycurl.HTTPHEADER, [*(f"{name}: {value}" for name, value in _HEADERS.items()), "Expect:"])
    curl.setopt(pycurl.WRITEDATA, BytesIO())
    return curl
