"""A web server on loopback that behaves as badly as a test asks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page:
    """The answer at one path.

    cut: bytes after which each connection is cut, one entry per request. ranges: whether a client can ask for a part.
    stall: stop sending after so many bytes, until the test ends. drip: send single bytes then.
    """

    def __init__(
        self,
        body=b"",
        status=200,
        kind="application/octet-stream",
        etag='"1"',
        cut=(),
        ranges=True,
        stall=None,
        drip=False,
        location="",
        length=True,
    ):
        self.body, self.status, self.kind, self.etag = body, status, kind, etag
        self.cut, self.ranges, self.stall, self.drip = list(cut), ranges, stall, drip
        self.location, self.length = location, length


class Web:
    """A running server. pages: by path. asked: path and Range header of each request. over: the test has ended."""

    def __init__(self, url: str):
        self.url, self.over = url, threading.Event()
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str | None]] = []

    def put(self, path: str, *args, **kwargs) -> str:
        """Set the page at `path`; return its address."""
        self.pages[path] = Page(*args, **kwargs)
        return self.url + path


class Handler(BaseHTTPRequestHandler):
    """Answers from the pages of `self.server.web`."""

    server: "Server"

    def do_GET(self) -> None:
        web, wanted = self.server.web, self.headers.get("Range")
        web.asked.append((self.path, wanted))
        page = web.pages.get(self.path) or Page(status=404)
        start, status = 0, page.status
        if wanted and page.ranges and self.headers.get("If-Range", page.etag) == page.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            status = 206 if start < len(page.body) else 416
        body = page.body[start:] if status != 416 else b""
        self.send_response(status)
        for name, value in self.answer_headers(page, status, start, len(body)).items():
            self.send_header(name, value)
        self.end_headers()
        if page.cut:
            body = body[: page.cut.pop(0)]
        self.wfile.write(body[: page.stall])
        if page.stall is not None:
            self.send_slowly(body[page.stall :], page.drip)

    def answer_headers(self, page: Page, status: int, start: int, length: int) -> dict[str, str]:
        ranges = {206: f"bytes {start}-{len(page.body) - 1}/{len(page.body)}", 416: f"bytes */{len(page.body)}"}
        headers = {"Location": page.location, "ETag": page.etag, "Content-Range": ranges.get(status, "")}
        headers |= {"Content-Length": str(length) if page.length else "", "Content-Type": page.kind}
        return {name: value for name, value in headers.items() if value}

    def send_slowly(self, body: bytes, drip: bool) -> None:
        """Send nothing more until the test ends, or, with `drip`, a byte now and then."""
        for byte in body:
            if self.server.web.over.wait(0.05 if drip else None):
                return
            self.wfile.write(bytes([byte]))

    def log_message(self, *args) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.web = Web(f"http://127.0.0.1:{self.server_port}")

    def handle_error(self, *args) -> None:
        """Say nothing: a client that hangs up is no fault."""


@contextmanager
def serving() -> Iterator[Web]:
    """A web server on a free port of this machine."""
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.web
    finally:
        server.web.over.set()
        server.shutdown()
        server.server_close()
