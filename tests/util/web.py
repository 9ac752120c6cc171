"""A web server on loopback that behaves as badly as a test asks."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page:
    """What lies at a path. cut: bytes after which each connection is cut, one entry a request; ranges: whether a part
    can be asked for; stall: stop sending after so many bytes, until the test ends; drip: then send single bytes."""

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
    def __init__(self, url: str):
        self.url, self.pages, self.asked, self.over = url, {}, [], threading.Event()

    def put(self, path: str, *args, **kwargs) -> str:
        """Set what lies at `path`; returns its address."""
        self.pages[path] = Page(*args, **kwargs)
        return self.url + path


@contextmanager
def serving() -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append((self.path, self.headers.get("Range")))
            page = web.pages.get(self.path) or Page(status=404)
            start, status = 0, page.status
            wanted = self.headers.get("Range")
            if wanted and page.ranges and self.headers.get("If-Range", page.etag) == page.etag:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                status = 206 if start < len(page.body) else 416
            self.send_response(status)
            if page.location:
                self.send_header("Location", page.location)
            if page.etag:
                self.send_header("ETag", page.etag)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{len(page.body) - 1}/{len(page.body)}")
            if status == 416:
                self.send_header("Content-Range", f"bytes */{len(page.body)}")
            body = page.body[start:] if status != 416 else b""
            if page.length:
                self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", page.kind)
            self.end_headers()
            if page.cut:
                body = body[: page.cut.pop(0)]
            self.wfile.write(body[: page.stall])
            if page.stall is not None:
                for byte in body[page.stall :]:
                    if web.over.wait(0.05 if page.drip else None):
                        return
                    self.wfile.write(bytes([byte]))

        def log_message(self, *args) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *args: None  # a client that hangs up is no fault
    web = Web(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield web
    finally:
        web.over.set()
        server.shutdown()
        server.server_close()
