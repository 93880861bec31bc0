#!/usr/bin/env python3
"""Opens report pages in headless Chromium and checks what a reader, a printer and a screen reader would meet.

    .ci/pages.py DIRECTORY [SCREENSHOTS]
    .ci/pages.py --prove
    .ci/pages.py --picture PAGE PNG

DIRECTORY holds NAME.html with NAME.json beside it: the result whose figures the page shows. Exits 1 if anything is
wrong. --prove checks a page with a fault of every kind, of which none may be missed. --picture takes the top of a page,
from its title to its first chart, for README. Needs Debian's packages `chromium` and `fonts-dejavu-core` and nothing
else; the browser is driven through a pair of pipes.
"""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

# Name, width, height, print, dark.
VIEWS = [
    ("desk", 1280, 900, False, False),
    ("desk-dark", 1280, 900, False, True),
    ("phone", 390, 844, False, False),
    ("phone-dark", 390, 844, False, True),
    # A4 less its margins of 14 mm, at 96 pixels per inch.
    ("paper", 688, 1017, True, False),
]

# Runs in the page; returns what is wrong with it at this width.
CHECK = r"""
(print) => {
  const wrong = [];
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide + 1)
    wrong.push(`the page is ${document.documentElement.scrollWidth} wide in ${wide}`);
  const shown = (e) => e.getClientRects().length > 0;
  const name = (e) => `<${e.tagName}> ${(e.textContent || "").trim().slice(0, 50)}`;
  for (const e of document.querySelectorAll("body *")) {
    if (!shown(e) || e.closest("svg") || e.classList.contains("skip")) continue;
    if (!print && e.parentElement.closest(".scroll")) continue;
    const box = e.getBoundingClientRect();
    if (box.right > wide + 1 || box.left < -1) wrong.push(`cut at the side: ${name(e)}`);
    if (e.classList.contains("scroll") && e.scrollWidth > e.clientWidth + 1) {
      const hint = [...e.querySelectorAll(".hint")].some((h) => shown(h) && (h.textContent.trim() || getComputedStyle(h, "::before").content.length > 9));
      if (print) wrong.push(`cut on paper: ${name(e)}`);
      else if (!hint) wrong.push(`a table is cut and does not say so (${e.scrollWidth} in ${e.clientWidth}): ${name(e)}`);
    }
  }
  for (const svg of document.querySelectorAll("svg.chart")) {
    if (!shown(svg)) continue;
    const title = svg.querySelector(":scope > title"), desc = svg.querySelector(":scope > desc");
    if (!title || !title.textContent || !desc || !desc.textContent) wrong.push("a chart without title or description");
    const frame = svg.getBoundingClientRect();
    const boxes = [];
    // Lines as points on the screen, near enough to each other for a letter to be between no two of them.
    const strokes = [];
    for (const line of svg.querySelectorAll("line,path.line,path.thin")) {
      const to = line.getScreenCTM(), length = line.getTotalLength();
      if (!length) continue;
      const steps = Math.min(2000, Math.max(2, Math.ceil(length / 2)));
      const points = [];
      for (let n = 0; n <= steps; n++) points.push(line.getPointAtLength((length * n) / steps).matrixTransform(to));
      strokes.push([points, line.getAttribute("class") || line.tagName]);
    }
    for (const text of svg.querySelectorAll("text")) {
      const box = text.getBoundingClientRect();
      if (!box.width) continue;
      // A text with a border in the colour of the paper interrupts what it crosses. The letters are lower than their box.
      const style = getComputedStyle(text);
      const halo = style.paintOrder.startsWith("stroke") && style.stroke !== "none" && parseFloat(style.strokeWidth) >= 3;
      const low = box.bottom - 0.28 * box.height, high = box.top + 0.22 * box.height;
      const crossed = halo ? undefined : strokes.find(([points]) =>
        points.some((p) => p.x > box.left + 1 && p.x < box.right - 1 && p.y > high && p.y < low));
      if (crossed) wrong.push(`a line (${crossed[1]}) goes through "${text.textContent}" in "${title && title.textContent}"`);
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        wrong.push(`cut in "${title.textContent}": ${text.textContent}`);
      for (const [other, words] of boxes) {
        const x = Math.min(box.right, other.right) - Math.max(box.left, other.left);
        const y = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
        if (x > 2 && y > 4) wrong.push(`"${text.textContent}" is written over "${words}" in "${title.textContent}"`);
      }
      boxes.push([box, text.textContent]);
      const size = parseFloat(getComputedStyle(text).fontSize) * frame.width / svg.viewBox.baseVal.width;
      if (size < 9) wrong.push(`letters of ${size.toFixed(1)} px in "${title.textContent}"`);
    }
    if (svg.querySelectorAll("path,line,rect").length < 1) wrong.push(`nothing is drawn in "${title.textContent}"`);
    for (const mark of svg.querySelectorAll("[d],[x],[y],[x1],[cx]"))
      for (const at of mark.attributes) if (/NaN|inf/i.test(at.value)) wrong.push(`${at.name}=${at.value} in a chart`);
  }
  return wrong;
}
"""

# Once for each page: what does not depend on its width.
STRUCTURE = r"""
() => {
  const wrong = [];
  if (document.documentElement.lang !== "en") wrong.push("no language");
  for (const [what, n] of [["main", 1], ["header", 1], ["footer", 1], ["h1", 1]])
    if (document.querySelectorAll(what).length !== n) wrong.push(`${document.querySelectorAll(what).length} of <${what}>`);
  for (const e of document.querySelectorAll("h1,h2,h3,h4,h5,h6,.answer,.belief strong"))
    if (!e.textContent.trim()) wrong.push(`nothing is said: an empty <${e.tagName.toLowerCase()}>`);
  let level = 0;
  for (const h of document.querySelectorAll("h1,h2,h3,h4")) {
    const now = Number(h.tagName[1]);
    if (now > level + 1) wrong.push(`<${h.tagName}> ${h.textContent} follows a heading of level ${level}`);
    level = now;
  }
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption || !table.caption.textContent) wrong.push("a table without caption");
    for (const th of table.querySelectorAll("th")) if (!th.scope) wrong.push(`no scope: ${th.textContent}`);
    for (const row of table.querySelectorAll("tbody tr")) if (!row.querySelector("th[scope=row]")) wrong.push("a row without name");
    const columns = table.querySelectorAll("thead th").length;
    for (const row of table.rows) if (row.cells.length !== columns) wrong.push(`${row.cells.length} cells under ${columns} columns`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`two of id ${id}`);
  for (const a of document.querySelectorAll("a[href^='#']"))
    if (!document.getElementById(a.getAttribute("href").slice(1))) wrong.push(`a link to nowhere: ${a.href}`);
  if (document.querySelectorAll("script").length !== 1) wrong.push("not one script");
  for (const e of document.querySelectorAll("img,iframe,object,embed,video,audio,form,[onerror],[onclick],[onload]"))
    wrong.push(`<${e.tagName}> in the page`);
  return wrong;
}
"""

FIGURES = r"""
() => [...document.querySelectorAll("data[data-from]")].map((e) => {
  const article = e.closest("article");
  const index = article ? [...document.querySelectorAll("article")].indexOf(article) : -1;
  return [e.dataset.from, e.value, e.textContent, index];
})
"""


class Browser:
    """Chromium, spoken to through file descriptors 3 and 4."""

    def __init__(self, profile):
        program = shutil.which("chromium") or sys.exit("chromium is not installed: apt-get install chromium")
        to_it, from_it = os.pipe(), os.pipe()

        def descriptors():
            # Away from where they have to go, then there.
            read, write = os.dup(to_it[0]), os.dup(from_it[1])
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [
                program,
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            close_fds=False,
            preexec_fn=descriptors,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_it[0])
        os.close(from_it[1])
        self.out = os.fdopen(to_it[1], "wb")
        self.input = os.fdopen(from_it[0], "rb")
        self.pending = b""
        self.number = 0
        self.events = []

    def message(self):
        while b"\0" not in self.pending:
            part = os.read(self.input.fileno(), 1 << 20)
            if not part:
                sys.exit("the browser ended")
            self.pending += part
        text, self.pending = self.pending.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, session=None, **params):
        self.number += 1
        request = {"id": self.number, "method": method, "params": params}
        if session:
            request["sessionId"] = session
        self.out.write(json.dumps(request).encode() + b"\0")
        self.out.flush()
        while True:
            reply = self.message()
            if reply.get("id") == self.number:
                if "error" in reply:
                    sys.exit(f"{method}: {reply['error']}")
                return reply["result"]
            self.events.append(reply)

    def close(self):
        self.call("Browser.close")
        self.process.wait(20)


class Page:
    """One tab."""

    def __init__(self, browser):
        self.browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def run(self, function, *arguments):
        expression = f"({function})({', '.join(json.dumps(a) for a in arguments)})"
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            sys.exit(f"the check itself failed: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, url):
        self.browser.events.clear()
        self.call("Page.navigate", url=url)
        for _ in range(200):
            if self.run("() => document.readyState") == "complete" and self.run("() => location.href") == url:
                return
            time.sleep(0.02)
        sys.exit(f"{url} does not load")

    def view(self, width, height, paper, dark):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="print" if paper else "screen", features=[scheme])

    def screenshot(self, path, height=6000):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], height), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def noise(self, url):
        """Console messages, errors and requests since the page was opened."""
        self.run("() => 0")
        found = []
        for event in self.browser.events:
            method, params = event.get("method"), event.get("params", {})
            if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                found.append(f"{method}: {json.dumps(params)[:300]}")
            if method == "Network.requestWillBeSent":
                asked = params["request"]["url"]
                if asked != url and not asked.startswith("data:"):
                    found.append(f"asks for {asked}")
        return found


def at(document, pointer):
    """RFC 6901."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


# Each shows a figure in its own unit.
SCALES = [
    lambda v: v,
    lambda v: 100.0 * (v - 1.0),
    lambda v: 100.0 * v,
    lambda v: v / 1e3,
    lambda v: v / 1e6,
]


def says(text, value):
    """Whether the text is the value, rounded to the digits that it has."""
    digits = re.sub(r"[,\s%µms]|▲|▼", "", text).replace("−", "-")
    match = re.fullmatch(r"[+-]?\d+(?:\.(\d+))?", digits)
    if not match:
        return False
    half = 0.5 * 10.0 ** -len(match.group(1) or "")
    return any(abs(float(digits) - scale(value)) <= half * 1.001 for scale in SCALES)


def figures(page, result):
    """Every figure that says where it is from must be what stands there."""
    wrong, seen = [], page.run(FIGURES)
    for place, value, text, article in seen:
        document = result[article] if isinstance(result, list) and article >= 0 else result
        try:
            stored = at(document, place)
        except (KeyError, IndexError, TypeError):
            wrong.append(f"{place} is not in the result")
            continue
        if stored is None:
            wrong.append(f"{place}: the page has {value}, the result nothing")
            continue
        if abs(float(value) - float(stored)) > 1e-9 * max(1.0, abs(float(stored))):
            wrong.append(f"{place}: the page has {value}, the result {stored}")
        if not says(text, float(stored)):
            wrong.append(f"{place}: the page says {text!r}, the result {stored}")
    return wrong, len(seen)


def checked(page, file, source, shots=None):
    """What is wrong with a page, and how many of its figures were held against the result."""
    wrong, shown = [], 0
    url = file.as_uri()
    if file.stat().st_size > 3_000_000:
        wrong.append(f"{file.stat().st_size} bytes are more than 3 MB")
    page.view(1280, 900, False, False)
    page.open(url)
    wrong += page.run(STRUCTURE)
    if source is not None:
        wrong_figures, shown = figures(page, source)
        wrong += wrong_figures
    for name, width, height, paper, dark in VIEWS:
        page.view(width, height, paper, dark)
        # What is folded must be as good as what is not.
        page.run("() => { for (const d of document.querySelectorAll('details')) d.open = true }")
        wrong += [f"{name}: {what}" for what in page.run(CHECK, paper)]
        if shots:
            page.run("() => { for (const d of document.querySelectorAll('details')) d.open = false }")
            page.screenshot(shots / f"{file.stem}-{name}.png")
    wrong += page.noise(url)
    return wrong, shown


def check(directory, shots):
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
    pages = sorted(directory.glob("*.html"))
    if not pages:
        sys.exit(f"{directory} holds no page")
    bad = 0
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(profile)
        page = Page(browser)
        for file in pages:
            source = file.with_suffix(".json")
            # Two runs compared have one JSON of the comparison; the runs have their own.
            known = source.exists() and file.stem != "compared"
            wrong, shown = checked(page, file, json.loads(source.read_text()) if known else None, shots)
            print(f"{file.stem}: {file.stat().st_size // 1000} kB, {shown} figures compared, {len(wrong)} wrong", flush=True)
            for what in wrong[:12]:
                print(f"    {what}")
            bad += len(wrong)
        browser.close()
    print(f"{len(pages)} pages in {len(VIEWS)} views: {bad} wrong")
    sys.exit(1 if bad else 0)


# What looks like a fault and is none.
SOUND = [
    "<svg class=chart viewBox='0 0 100 30' width=100 height=30><title>t</title><desc>d</desc><line x1=20 x2=20 y1=0 y2=30 stroke=black /><text style='paint-order:stroke;stroke:white;stroke-width:5px' x=0 y=20>label</text></svg>",
    "<svg class=chart viewBox='0 0 100 30' width=100 height=30><title>t</title><desc>d</desc><line x1=0 x2=90 y1=26 y2=26 stroke=black /><text x=0 y=20>label</text></svg>",
    "<div class=scroll style='overflow-x:auto'><p class=hint>scroll</p><p style='width:500px'>as wide as a table</p></div>",
]

# A fault, and what must be said of it.
FAULTS = [
    ("<p style='width:3000px'>wide</p>", "the page is"),
    ("<div style='position:absolute;left:-90px'>left</div>", "cut at the side"),
    ("<svg class=chart viewBox='0 0 100 30' width=100 height=30><title>t</title><desc>d</desc><path d='M0 0'/><text x=80 y=20>far out of it</text></svg>", "cut in"),
    ("<svg class=chart viewBox='0 0 100 30' width=100 height=30><title>t</title><desc>d</desc><path d='M0 0'/><text x=0 y=20>one</text><text x=5 y=20>two</text></svg>", "is written over"),
    ("<svg class=chart viewBox='0 0 100 30' width=100 height=30><title>t</title><desc>d</desc><line x1=20 x2=20 y1=0 y2=30 stroke=black /><text x=0 y=20>label</text></svg>", "goes through"),
    ("<svg class=chart viewBox='0 0 100 30' width=100 height=30><title>t</title><desc>d</desc><path class=line d='M0 5L40 28' stroke=black /><text x=0 y=20>label</text></svg>", "goes through"),
    ("<div class=scroll style='overflow-x:auto'><p style='width:500px'>as wide as a table</p></div>", "phone: a table is cut and does not say so"),
    ("<svg class=chart viewBox='0 0 100 30' width=100 height=30><path d='MNaN 0'/></svg>", "=MNaN 0 in a chart"),
    ("<svg class=chart viewBox='0 0 100 30' width=100 height=30><path d='M0 0'/></svg>", "without title or description"),
    ("<svg class=chart viewBox='0 0 100 30' width=100 height=30><title>t</title><desc>d</desc></svg>", "nothing is drawn"),
    ("<svg class=chart viewBox='0 0 400 30' width=100 height=8><title>t</title><desc>d</desc><path d='M0 0'/><text x=0 y=20>small</text></svg>", "letters of"),
    ("<script>console.log('here')</script>", "consoleAPICalled"),
    ("<script>throw new Error('here')</script>", "exceptionThrown"),
    ("<img src='http://127.0.0.1:9/x.png'>", "asks for"),
    ("<a href='#nowhere'>nowhere</a>", "a link to nowhere"),
    ("<i id=a></i><i id=a></i>", "two of id a"),
    ("<h4>too deep</h4>", "follows a heading"),
    ("<h2> </h2>", "an empty <h2>"),
    ("<div class='answer '></div>", "an empty <div>"),
    ("<table><tr><td>1</td></tr></table>", "a table without caption"),
    ("<data value=2 data-from='/a'>2</data>", "the page has 2, the result 1.5"),
    ("<data value=1.5 data-from='/a'>1.7</data>", "the page says '1.7'"),
    ("<data value=1 data-from='/none'>1</data>", "is not in the result"),
]


def prove():
    """Each fault in a page that has no other must be found, and a page without one is found sound."""
    missed = []
    with tempfile.TemporaryDirectory() as scratch:
        browser = Browser(f"{scratch}/profile")
        page = Page(browser)
        file = pathlib.Path(scratch, "page.html")
        for fault, said in [("", None), *((sound, None) for sound in SOUND), *FAULTS]:
            script = "" if "<script" in fault else "<script></script>"
            file.write_text(
                "<!doctype html><html lang=en><head><title>t</title><link rel=icon href='data:,'></head><body><header><h1>t"
                f"</h1></header><main>{fault}</main><footer></footer>{script}</body></html>"
            )
            wrong, _ = checked(page, file, {"a": 1.5})
            if said is None and wrong:
                missed.append(f"a sound page, {fault}: {wrong}")
            if said is not None and not any(said in what for what in wrong):
                missed.append(f"{fault}: nothing says {said!r}, but {wrong}")
        browser.close()
    for what in missed:
        print(what)
    print(f"{len(FAULTS)} faults: {len(missed)} missed")
    sys.exit(1 if missed else 0)


def picture(file, png):
    """The page from its title to the end of its first chart, as a desk shows it."""
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(profile)
        page = Page(browser)
        page.view(940, 900, False, False)
        page.open(file.as_uri())
        page.run("() => { for (const e of document.querySelectorAll('nav,details')) e.style.display = 'none' }")
        bottom = page.run("() => document.querySelector('section figure').getBoundingClientRect().bottom + scrollY")
        page.screenshot(png, bottom + 4)
        browser.close()
    print(f"{png}: {png.stat().st_size // 1000} kB")


def main():
    match sys.argv[1:]:
        case ["--prove"]:
            prove()
        case ["--picture", file, png]:
            picture(pathlib.Path(file).resolve(), pathlib.Path(png).resolve())
        case [directory, *shots] if not directory.startswith("-") and len(shots) < 2:
            check(pathlib.Path(directory).resolve(), pathlib.Path(shots[0]).resolve() if shots else None)
        case _:
            sys.exit(__doc__)


main()
