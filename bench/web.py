"""Requests per second and latency of the JSON interface: one client with one connection, the server on one core.

python bench/web.py [--seconds 5]
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import subprocess
import sys
import time

POINT = "/api/decode?hw=h100&model=llama-3.1-8b&batch=8&context=4096"
GRID = "/api/grid?hw=h100&model=llama-3.1-8b&batch=1:100:1&context=100:10000:100"


def timed(connection: http.client.HTTPConnection, path: str, seconds: float) -> list[float]:
    """Ask again and again; return the latencies in order of size [s]."""
    found, end = [], time.perf_counter() + seconds
    while (now := time.perf_counter()) < end:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        found.append(time.perf_counter() - now)
    return sorted(found)


def main() -> None:
    """Start a server, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from roofline.cli.main import run; run()"
    server = subprocess.Popen([sys.executable, "-c", code, "web", "--port", str(port)], stderr=subprocess.DEVNULL)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(server.pid, {0})
    try:
        while True:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", POINT)
                connection.getresponse().read()
                break
            except OSError:
                time.sleep(0.1)
        timed(connection, GRID, 0.5)  # compiles
        for name, path in (("point", POINT), ("grid of 10,000", GRID)):
            times = timed(connection, path, options.seconds)
            p99 = times[int(0.99 * (len(times) - 1))]
            rate = len(times) / sum(times)
            print(f"{name}: {rate:,.0f} a second, median {1e3 * times[len(times) // 2]:.2f} ms, p99 {1e3 * p99:.2f} ms")
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
