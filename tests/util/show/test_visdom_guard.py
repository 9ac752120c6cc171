"""Whom our visdom server answers: pages and programs of this machine, and no page of another origin."""

import hashlib
import json
import subprocess
import sys

import pytest
import requests
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import HTTPError

from tests.util.helpers import ROOT, Server
from util.show.panels import Panels, shown
from util.show.visdom_guard import Environments, refusal

SERVE = """
import sys
from visdom.server import app, run_server
from util.show.visdom_guard import Guarded
app.tornado_settings["autoreload"] = False
run_server.__dict__["Application"] = Guarded
run_server.start_server(port=int(sys.argv[2]), base_url="", env_path=sys.argv[1], bind_local=True)
"""
HERE = "http://localhost:8097"


def request(method="POST", **headers: str) -> HTTPServerRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HTTPServerRequest(start_line=RequestStartLine(method, "/", "HTTP/1.1"), headers=HTTPHeaders(named))


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"Host": "localhost:8097"}, ""),
        ({"Host": "127.0.0.1:9000"}, ""),
        ({"Host": "[::1]:8097"}, ""),
        ({"Host": "localhost:8097", "Origin": HERE}, ""),
        ({"Host": "localhost:8097", "Origin": HERE, "Sec_Fetch_Site": "same-origin"}, ""),
        ({"Host": "evil.example:8097"}, "host"),
        ({"Host": "localhost.evil.example"}, "host"),
        ({"Host": "localhost:8097", "Origin": "https://evil.example"}, "origin"),
        ({"Host": "localhost:8097", "Origin": "http://localhost:80"}, "origin"),
        ({"Host": "localhost:8097", "Origin": "null"}, "origin"),
        ({"Host": "localhost:8097", "Sec_WebSocket_Origin": "http://evil.example"}, "origin"),
        ({"Host": "localhost:8097", "Sec_Fetch_Site": "cross-site"}, "site"),
    ],
)
def test_foreign_hosts_and_origins_are_refused(headers, refused):
    assert refusal(request(**headers)) == refused


def test_a_link_to_the_page_may_be_followed():
    headers = {"Host": "localhost:8097", "Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert refusal(request("GET", **headers)) == ""
    assert refusal(request("POST", **headers)) == "site"


@pytest.mark.parametrize("name", ["../../x", "a/b", "a\\b", "..", ".x", "", "a\0", "x" * 300, 3])
def test_environments_that_lead_to_other_folders_are_refused(name):
    environments = Environments()
    for use in (lambda: name in environments, lambda: environments.update({}) or environments.__setitem__(name, {})):
        with pytest.raises(HTTPError):
            use()


def test_names_in_titles_are_no_html():
    assert shown("<img src=x onerror=alert(1)>&lt;b") == "\u2039img src=x onerror=alert(1)\u203a+lt;b"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("visdom") / "a" / "b"
    folder.mkdir(parents=True)
    server = Server(folder, "-c", SERVE, str(folder))
    server.start()
    yield server, folder
    server.kill()


@pytest.mark.slow
def test_the_running_server_takes_panels_and_refuses_other_pages(server):
    running, folder = server
    url = f"http://127.0.0.1:{running.port}"
    panels = Panels("http://127.0.0.1", running.port, "main", 1, 2, name="run", retry=0.1)
    panels.losses(0.5, {"G": 2.0})
    panels.close(deadline=30)
    running.env = "main"
    assert running.lines("1") == {"G": ([0.5], [2.0])}
    close = json.dumps({"eid": "main", "win": None})
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        assert requests.post(f"{url}/close", close, headers=headers, timeout=10).status_code == 403
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Origin": "http://evil.example"}
    upgrade |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
    assert requests.get(f"{url}/vis_socket", headers=upgrade, timeout=10).status_code == 403
    assert running.lines("1") == {"G": ([0.5], [2.0])}
    victim = folder.parent.parent / "x.json"
    victim.write_text("{}")
    for path, body in (("env/..", {"sid": "1", "eid": "../../x"}), ("delete_env", {"eid": "..\\..\\x"})):
        answer = requests.post(f"{url}/{path}", data=json.dumps(body), timeout=10)
        assert answer.status_code >= 400
    assert "../../x" not in requests.post(f"{url}/env_state", data="{}", timeout=10).text
    assert victim.is_file()


def test_without_visdom_server_and_panels_name_the_extra_in_one_line(tmp_path):
    hide = "import sys; sys.modules['visdom'] = None; "
    serve = hide + "from util.errors import run_script; from util.show.visdom_server import main; run_script(main)"
    result = subprocess.run([sys.executable, "-c", serve], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert 'the extra visdom: pip install --build-constraint constraints.txt ".[visdom]"' in result.stderr
    show = hide + "from util.show.panels import Panels; p = Panels('http://localhost', 1, 'main', 1, 2, 'run'); "
    show += "p.losses(1, {'G': 1.0}); p.close(20)"
    result = subprocess.run([sys.executable, "-c", show], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "live panels are off" in result.stderr
    assert "the extra visdom" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_login_is_passed_through(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VISDOM_USERNAME", "ada")
    monkeypatch.setenv("VISDOM_PASSWORD", "secret")
    code = (
        "import sys\nfrom util.show import visdom_server\nvisdom_server.install_scripts = lambda static: None\n"
        "sys.argv = ['visdom_server', '--enable_login', '--port', sys.argv[1]]\nvisdom_server.main()"
    )
    server = Server(tmp_path, "-c", code)
    server.start()
    try:
        url = f"http://127.0.0.1:{server.port}"
        assert requests.post(f"{url}/win_data", data=json.dumps({"eid": "main"}), timeout=10).status_code == 400
        panels = Panels("http://127.0.0.1", server.port, "main", 1, 2, name="run", retry=0.1)
        panels.losses(0.5, {"G": 2.0})
        panels.close(deadline=30)
        session = requests.Session()
        login = {"username": "ada", "password": hashlib.sha256(b"secret").hexdigest()}
        session.post(url, json=login, timeout=10)
        windows = session.post(f"{url}/win_data", data=json.dumps({"eid": "main", "win": None}), timeout=10).json()
        assert "1" in windows
    finally:
        server.kill()
