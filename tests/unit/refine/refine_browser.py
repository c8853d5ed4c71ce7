"""A headless Chromium, led over its DevTools protocol."""

import base64
import json
import shutil
import subprocess
import time
from pathlib import Path

from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WAIT = 20.0
KEYS = {"ArrowLeft": 37, "ArrowRight": 39, "Enter": 13, "Tab": 9}


def find_browser():
    """Where a Chromium is, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page of one browser with a profile of its own, at the size of a desktop."""

    def __init__(self, program: str, folder: Path) -> None:
        self.downloads, self.number, self.events = folder / "downloads", 0, []
        self.downloads.mkdir(parents=True)
        profile = folder / "profile"
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        self.process = subprocess.Popen(
            [program, *flags, "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            self._connect(profile / "DevToolsActivePort")
        except BaseException:
            self.close()
            raise

    def _connect(self, port_file: Path) -> None:
        wait_for(lambda: port_file.is_file() and port_file.read_text().count("\n") == 1)
        port, path = port_file.read_text().split()
        self.socket = connect(f"ws://127.0.0.1:{port}{path}", max_size=None)
        self.session = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        allowed = {"behavior": "allow", "downloadPath": str(self.downloads)}
        self.send("Browser.setDownloadBehavior", **allowed)
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.resize(1000, 800)

    def send(self, method: str, **params: object) -> dict:
        """One command and its result; what the page reports meanwhile goes to `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        self.socket.send(json.dumps(message | ({"sessionId": self.session} if self.session else {})))
        while True:
            answer = json.loads(self.socket.recv(timeout=WAIT))
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            self.events.append(answer)

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """The size of the window in CSS pixels, and which colours the person prefers."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, path: Path) -> None:
        """Load a file, to the end."""
        self.send("Page.navigate", url=path.resolve().as_uri())
        self._loaded(path)

    def reload(self, path: Path) -> None:
        """As the reload button does."""
        self.run("window.before = true")
        self.send("Page.reload")
        self._loaded(path)

    def _loaded(self, path: Path) -> None:
        state = "[location.href, document.readyState, window.before]"
        wait_for(lambda: self.run(f"{state}.join()") == f"{path.resolve().as_uri()},complete,")

    def run(self, script: str) -> object:
        """The value of an expression in the page."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        """What an element shows; "" when it is hidden."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).innerText"))

    def visible(self, selector: str) -> bool:
        """Whether an element takes any room."""
        return bool(self.run(f"document.querySelector({json.dumps(selector)}).getClientRects().length"))

    def click(self, selector: str) -> None:
        """Press and release the mouse in the middle of an element, wherever it is."""
        script = f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{ block: "center" }});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()"""
        x, y = self.run(script)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, repeated: bool = False) -> None:
        """Press and release a key."""
        text = {"text": "\r"} if key == "Enter" else {"text": key} if len(key) == 1 else {}
        code = KEYS.get(key, ord(key[0].upper()))
        for kind in ("keyDown", "keyUp"):
            printed = text if kind == "keyDown" else {}
            self.send(
                "Input.dispatchKeyEvent",
                type=kind, key=key, windowsVirtualKeyCode=code, autoRepeat=repeated, **printed,
            )  # fmt: skip

    def type(self, text: str) -> None:
        """Text into what has the focus."""
        self.send("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        size = self.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.send("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def downloaded(self, count: int) -> list[Path]:
        """The saved files, when there are `count` of them."""
        wait_for(lambda: len(list(self.downloads.glob("*.json"))) == count)
        return sorted(self.downloads.glob("*.json"))

    def close(self) -> None:
        """End the browser."""
        if hasattr(self, "socket"):
            self.session = None
            self.send("Browser.close")
            self.socket.close()
        else:
            self.process.terminate()
        self.process.wait(WAIT)


def wait_for(true) -> None:
    """Until `true()`; fails after 20 seconds."""
    deadline = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < deadline, "the browser did not get there"
        time.sleep(0.02)
