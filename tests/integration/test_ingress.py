"""The proxy through real containers: a short look at each promise; the rest is tested on Envoy alone."""

from __future__ import annotations

import ipaddress
import json

import pytest
from service_files import WEB_ONE, WEB_TWO, web

from orca.testing.host import Host, eventually

_CGI = "shop/cgi:1"
_SCRIPTS = {
    "cookies": "Status: 200 OK\\nSet-Cookie: a=1\\nSet-Cookie: b=2\\nContent-Type: text/plain\\n\\nok",
    "move": "Status: 302 Found\\nLocation: http://elsewhere.example/there\\n\\n",
}
_HEADERS = (
    "printf 'Content-Type: application/json\\n\\n';"
    ' printf \'{"for":"%s","proto":"%s","host":"%s"}\''
    ' "$HTTP_X_FORWARDED_FOR" "$HTTP_X_FORWARDED_PROTO" "$HTTP_HOST"'
)


@pytest.fixture(scope="module", autouse=True)
def cgi(server: Host) -> None:
    """An application that sets cookies, redirects and tells the headers it got."""
    parts = ["mkdir -p /www/cgi-bin", "echo ok > /www/index.html"]
    for name, answer in _SCRIPTS.items():
        parts.append(f"printf '#!/bin/sh\\nprintf \"{answer}\"\\n' > /www/cgi-bin/{name}")
    parts.append(f"cat > /www/cgi-bin/headers <<'END'\n#!/bin/sh\n{_HEADERS}\nEND\n")
    script = "\n".join([*parts, "chmod +x /www/cgi-bin/*", "exec httpd -f -p 80 -h /www"])
    server.engine.image(_CGI, ("/bin/sh", "-c", script))


def test_several_domains_and_the_longest_path_lead_where_they_should(
    server: Host, project: str, domain: str
) -> None:
    more = f'domains = ["{domain}", "www.{domain}"]'
    front = web(domain, name="front").replace(f'domain = "{domain}"', more)
    api = web(domain, name="api", image=WEB_TWO, keys='routes = ["/api/*"]')
    deep = web(
        domain,
        name="deep",
        keys='routes = ["/api/deep/*"]',
        tables='[service.env]\nBODY = "deep"\n',
        image=WEB_ONE,
    )
    server.write(project, front + api + deep)
    server.deploy(project)

    eventually(server.serves(domain, "one"))
    assert server.get(f"www.{domain}").body == "one\n"
    wanted = {"/apix": "front", "/api/x": "api", "/api/deep/x": "deep"}
    for path in wanted:
        assert server.get(domain, path).status == 404
    # No container has these paths: whose 404 it was, the access log tells.
    eventually(lambda: all(path in access_log(server) for path in wanted))
    entries = [json.loads(line) for line in access_log(server).splitlines()]
    told = {e["path"]: json.dumps(e) for e in entries if e["path"] in wanted}
    assert {
        path: f"{project}/{name}" in told[path] for path, name in wanted.items()
    } == dict.fromkeys(wanted, True)
    assert server.get(f"unknown.{domain}").body.startswith("orca: nothing is routed at")


def access_log(host: Host) -> str:
    return (host.home / "proxy" / "access.log").read_text()


def test_cookies_redirects_and_forwarded_headers_pass(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain, image=_CGI))
    server.deploy(project)
    eventually(server.serves(domain))

    cookies = server.get(domain, "/cgi-bin/cookies")
    assert cookies.status == 200
    assert cookies.cookies == ["a=1", "b=2"]

    move = server.get(domain, "/cgi-bin/move")
    assert (move.status, move.headers["location"]) == (302, "http://elsewhere.example/there")

    spoofed = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher"}
    told = json.loads(server.get(domain, "/cgi-bin/headers", headers=spoofed).body)
    assert (told["proto"], told["host"]) == ("http", domain)
    *claimed, true = told["for"].split(",")
    assert claimed == ["6.6.6.6"]
    assert str(ipaddress.ip_address(true)) == true, "who asked is the last one"


def test_requests_are_shared_among_the_replicas(server: Host, project: str, domain: str) -> None:
    server.write(project, web(domain, replicas=2))
    server.deploy(project)
    for slot in ("0", "1"):
        server.orca(
            *("exec", f"{project}/web", "--replica", slot, "--"),
            *("sh", "-c", f"echo slot {slot} > /www/index.html"),
        )

    seen = {server.get(domain).body for _ in range(20)}

    assert seen == {"slot 0\n", "slot 1\n"}


def test_every_request_is_in_the_access_log(server: Host, project: str, domain: str) -> None:
    server.write(project, web(domain))
    server.deploy(project)
    eventually(server.serves(domain))

    server.get(domain, "/looked-for")

    eventually(lambda: "/looked-for" in access_log(server))
    assert all(json.loads(line) for line in access_log(server).splitlines())


def test_an_internal_service_is_not_reachable_from_outside(
    server: Host, project: str, domain: str
) -> None:
    server.write(project, web(domain, keys="internal = true").replace(f'domain = "{domain}"', ""))
    server.deploy(project)

    assert server.get(domain).status == 404
