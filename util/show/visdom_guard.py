"""A visdom application that only pages and programs of this machine can use.

visdom 0.2.4 answers requests of any origin. Any web page that the user has open could write, read and close windows, a
foreign name that resolves to 127.0.0.1 would be served (DNS rebinding), and an environment called `../../x` would name
a file outside of visdom's folder.
"""

import tornado.web
from tornado.httputil import HTTPServerRequest
from visdom.server import app

HERE = ("localhost", "127.0.0.1", "[::1]")
"""The names under which a browser or a program on this machine reaches the server, through an SSH tunnel, too."""


class Environments(dict):
    """visdom's environments by name. visdom makes a file's name of each, so no name may lead to another folder."""

    def __setitem__(self, name: object, value: object) -> None:
        check_environment(name)
        super().__setitem__(name, value)

    def __delitem__(self, name: object) -> None:
        check_environment(name)
        super().__delitem__(name)

    def __contains__(self, name: object) -> bool:
        check_environment(name)
        return super().__contains__(name)


class Guarded(app.Application):
    """visdom's application behind `refusal`, with `Environments`."""

    def load_state(self) -> Environments:
        return Environments(super().load_state())

    def find_handler(self, request: HTTPServerRequest, **more):
        """Every request and the opening of every socket passes here, before any handler is made."""
        if refusal(request):
            return self.get_handler_delegate(request, tornado.web.ErrorHandler, {"status_code": 403})
        return super().find_handler(request, **more)


class StaticFiles(tornado.web.StaticFileHandler):
    """Lets visdom's page refer to `../user/style.css`, for which tornado 6.6 would refuse the whole page."""

    @classmethod
    def get_version(cls, settings: dict, path: str) -> str | None:
        return None if path.startswith("../") else super().get_version(settings, path)


def check_environment(name: object) -> None:
    """tornado's error 400 for an environment whose file would lie elsewhere than visdom's own."""
    if not isinstance(name, str) or not 0 < len(name) <= 200 or any(sign in name for sign in "/\\\0") or name[0] == ".":
        raise tornado.web.HTTPError(400, "an environment's name must be short, without separators or a leading dot")


def refusal(request: HTTPServerRequest) -> str:
    """Why a request is refused: it names another machine as its host, or a page of another origin sent it. "" if not.

    Programs, such as visdom's client in a training, send no Origin. A browser sends one with everything that can
    change something; what another page merely loads, it marks with Sec-Fetch-Site.
    """
    host = request.headers.get("Host", "")
    if host.rpartition(":")[0] not in HERE and host not in HERE:
        return "host"
    for header in ("Origin", "Sec-WebSocket-Origin"):
        if request.headers.get(header, f"http://{host}") != f"http://{host}":
            return "origin"
    opened = request.headers.get("Sec-Fetch-Mode") == "navigate" and request.method == "GET"
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin") and not opened:
        return "site"
    return ""
