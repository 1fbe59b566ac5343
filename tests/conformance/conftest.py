"""One server for a run, started like that of the end-to-end tests. Start reading in README.md."""

import json
import os

import pytest
from kit.distribution import Registry, basic
from support import image
from support.aws import Account, unique
from support.server import Server, bin_dir


def pytest_configure(config):
    if os.geteuid() != 0:
        raise pytest.UsageError("tasks run in these tests: they need root")
    if not (bin_dir() / "longshore").exists():
        raise pytest.UsageError(f"{bin_dir()} has no longshore: run `make build`, or set LONGSHORE_BIN")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    server = item.funcargs.get("server")
    if report.failed and server is not None:
        report.sections.append((f"log of {server.data_dir}", server.tail()))
    return report


@pytest.fixture(scope="session")
def server():
    server = Server("longshore-conformance-")
    try:
        server.start()
        yield server
    finally:
        server.down()
        server.remove()


@pytest.fixture(scope="session")
def account(server):
    return Account(server)


@pytest.fixture(scope="session")
def coverage(server):
    """{(service, operation): implemented}, as `longshore api --json` tells it."""
    table = json.loads(server.run("api", "--json").stdout)
    return {(row["service"], row["operation"]): row["implemented"] for row in table}


@pytest.fixture(scope="session")
def busybox(account):
    return account.push(image.busybox())


@pytest.fixture(scope="session")
def password(account):
    return account.password()


@pytest.fixture(scope="session")
def registry(server, password):
    return Registry(server.host, basic("AWS", password))


@pytest.fixture
def anonymous(server):
    return Registry(server.host)


@pytest.fixture
def repository(account):
    """A repository of the test's own."""
    return account.repository(unique("conformance/oci"))


@pytest.fixture
def other(account):
    return account.repository(unique("conformance/other"))
