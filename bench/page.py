"""First paint of the page, and how long after a move of a slider numbers and charts stand again.

python bench/page.py [--moves 10]
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

from playwright.sync_api import Page, sync_playwright

#: Move a slider by one step; milliseconds until the frame after the table changed, and until nothing is under way.
MOVE = """(id) => new Promise((done) => {
  const slider = document.getElementById(id), start = performance.now(), found = {};
  const since = () => performance.now() - start;
  const table = new MutationObserver(() => requestAnimationFrame(() => { found.numbers ??= since(); }));
  table.observe(document.getElementById("table"), { childList: true, subtree: true });
  const rest = new MutationObserver(() => {
    if (document.getElementById("answer").ariaBusy !== "false") return;
    found.charts = since();
    table.disconnect();
    rest.disconnect();
    setTimeout(() => done(found), 50);
  });
  rest.observe(document.getElementById("answer"), { attributes: true });
  const before = slider.value;
  slider.stepUp();
  if (slider.value === before) slider.value = slider.min;
  slider.dispatchEvent(new Event("input", { bubbles: true }));
})"""


def load(page: Page, address: str) -> None:
    """Print when the page shows something, its numbers, and its charts."""
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector("td[data-row=speed]")
    numbers = time.perf_counter() - start
    page.wait_for_selector("#answer[aria-busy=false]")
    charts = time.perf_counter() - start
    paint = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime / 1e3")
    print(f"load: first paint {paint:.2f} s, numbers {numbers:.2f} s, charts {charts:.2f} s")


def main() -> None:
    """Start a server and a browser, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=10)
    options = parser.parse_args()
    browser = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from roofline.cli.main import run; run()"
    server = subprocess.Popen([sys.executable, "-c", code, "web", "--port", str(port)], stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}/"
    try:
        while True:
            try:
                urllib.request.urlopen(address).close()
                break
            except OSError:
                time.sleep(0.1)
        with sync_playwright() as play:
            chromium = play.chromium.launch(executable_path=browser, args=["--no-sandbox"])
            page = chromium.new_page(viewport={"width": 1440, "height": 900})
            for _ in range(3):
                load(page, address)
            for slider in ("batch", "context", "isl", "osl", "concurrency", "utilisation"):
                found = [page.evaluate(MOVE, slider) for _ in range(options.moves)]
                told = []
                for what in ("numbers", "charts"):
                    times = sorted(one[what] for one in found)
                    told.append(f"{what} {statistics.median(times):.0f} ms (at most {times[-1]:.0f})")
                print(f"{slider}: {', '.join(told)}")
            chromium.close()
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
