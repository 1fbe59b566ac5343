"""Authentication. The distribution specification leaves it to RFC 9110 (Basic) and to Docker's token
authentication specification (Bearer); the password is ECR's (API reference, GetAuthorizationToken)."""

import re

import pytest
from kit.distribution import Registry, basic, digest, fresh

CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
ENDPOINTS = [
    ("GET", "/v2/"), ("GET", "/v2/{}/tags/list"), ("GET", "/v2/{}/manifests/v1"), ("HEAD", "/v2/{}/manifests/v1"),
    ("PUT", "/v2/{}/manifests/v1"), ("DELETE", "/v2/{}/manifests/v1"), ("POST", "/v2/{}/blobs/uploads/"),
    ("GET", "/v2/{}/blobs/" + digest(b"x")), ("DELETE", "/v2/{}/blobs/" + digest(b"x")),
    ("GET", "/v2/{}/referrers/" + digest(b"x")), ("GET", "/v2/_catalog"),
]


def challenges(answer):
    """{scheme: parameters} of a 401 (RFC 9110, 11.6.1)."""
    found = {}
    for value in answer.headers.get_all("WWW-Authenticate"):
        scheme, parameters = value.split(" ", 1)
        found[scheme] = dict(CHALLENGE.findall(parameters))
    return found


def token(registry, authorization, scope="repository:any:pull,push"):
    """A bearer token, got where the challenge says."""
    bearer = challenges(Registry(registry.host).get("/v2/"))["Bearer"]
    path = bearer["realm"].removeprefix(f"http://{registry.host}")
    path += f"?service={bearer['service']}&scope={scope}"
    return Registry(registry.host, authorization).get(path)


@pytest.mark.parametrize("method, path", ENDPOINTS)
def test_nothing_without_credentials(registry, anonymous, repository, method, path):
    registry.push_image(repository, "v1")
    answer = anonymous.call(method, path.format(repository))
    assert answer.status == 401
    assert {"Basic", "Bearer"} <= set(challenges(answer))
    assert "realm" in challenges(answer)["Basic"]
    if method != "HEAD":
        assert answer.codes == ["UNAUTHORIZED"]
    assert registry.get(f"/v2/{repository}/manifests/v1").status == 200


@pytest.mark.parametrize("authorization", [
    basic("AWS", "wrong"), basic("AWS", ""), basic("somebody", "wrong"), "Basic", "Basic !!!", "Bearer", "Bearer x.y",
    "Bearer ", "Negotiate x", "Basic " + "A" * 5000])
def test_nothing_with_wrong_credentials(server, repository, authorization):
    answer = Registry(server.host, authorization).get(f"/v2/{repository}/tags/list")
    assert (answer.status, answer.codes) == (401, ["UNAUTHORIZED"])
    assert answer.headers.get_all("WWW-Authenticate")


def test_the_password_goes_with_its_user_only(server, password):
    assert Registry(server.host, basic("AWS", password)).get("/v2/").status == 200
    assert Registry(server.host, basic("root", password)).get("/v2/").status == 401


def test_the_scheme_is_case_insensitive(server, password):
    """RFC 9110, 11.1."""
    for scheme in ("basic", "BASIC"):
        authorization = basic("AWS", password).replace("Basic", scheme)
        assert Registry(server.host, authorization).get("/v2/").status == 200


def test_a_changed_password(server, password):
    for at in (0, len(password) // 2, len(password) - 2):
        changed = password[:at] + ("A" if password[at] != "A" else "B") + password[at + 1:]
        assert Registry(server.host, basic("AWS", changed)).get("/v2/").status == 401


def test_a_bearer_token(registry, server, repository):
    answer = token(registry, registry.authorization, f"repository:{repository}:pull,push")
    assert answer.status == 200
    assert answer.json["token"] and answer.json.get("access_token", answer.json["token"]) == answer.json["token"]
    assert answer.json.get("expires_in", 60) >= 60
    bearer = Registry(server.host, f"Bearer {answer.json['token']}")
    assert bearer.get("/v2/").status == 200
    content = bearer.push_image(repository, "by-bearer")
    assert bearer.get(f"/v2/{repository}/manifests/by-bearer").body == content
    blob = fresh()
    assert bearer.get(f"/v2/{repository}/blobs/{bearer.push_blob(repository, blob)}").body == blob


def test_a_bearer_token_opens_what_it_was_asked_for(registry, server, repository):
    """Docker's token authentication specification."""
    registry.push_image(repository, "v1")
    for scope, pull, push in [("repository:any:pull,push", 401, 401), (f"repository:{repository}:pull", 200, 401),
                              (f"repository:{repository}:pull,push", 200, 202)]:
        bearer = Registry(server.host, f"Bearer {token(registry, registry.authorization, scope).json['token']}")
        assert bearer.get(f"/v2/{repository}/manifests/v1").status == pull, scope
        answer = bearer.call("POST", f"/v2/{repository}/blobs/uploads/")
        assert answer.status == push, scope
        if push == 401:
            assert challenges(answer)["Bearer"]["scope"] == f"repository:{repository}:pull,push"


@pytest.mark.parametrize("authorization", [None, basic("AWS", "wrong"), basic("nobody", "x")])
def test_no_bearer_token_without_a_password(registry, authorization):
    answer = token(registry, authorization)
    assert answer.status == 401 and "token" not in answer.json


def test_a_bearer_token_is_no_password(registry, server):
    got = token(registry, registry.authorization).json["token"]
    assert Registry(server.host, basic("AWS", got)).get("/v2/").status == 401
    assert token(registry, f"Bearer {got}").status == 401


def test_another_region_is_another_registry(server, account, repository, registry):
    """ECR's repositories are a region's; so is a password."""
    registry.push_image(repository, "here")
    elsewhere = account.client("ecr", region="eu-west-1").get_authorization_token()["authorizationData"][0]
    answer = Registry(server.host, "Basic " + elsewhere["authorizationToken"]).get(f"/v2/{repository}/manifests/here")
    assert answer.status == 404
