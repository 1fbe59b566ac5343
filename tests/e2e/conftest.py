"""A server for each test process, and a stage for each test. Start reading in support/aws.py."""

import os

import pytest
from support import image
from support import server as servers
from support.aws import Account, Stage
from support.server import Server, bin_dir


def pytest_collection_modifyitems(items):
    # Long ones first, so that no worker is left with one at the end.
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_addoption(parser):
    parser.addoption("--runtime", help="run the containers with this containerd runtime, e.g. io.containerd.runc.v2")


def pytest_configure(config):
    servers.RUNTIME = config.getoption("--runtime")
    config.addinivalue_line("markers", "long: takes longer than most; started first")
    if os.geteuid() != 0:
        raise pytest.UsageError("these tests run containers: they need root")
    if not (bin_dir() / "longshore").exists():
        raise pytest.UsageError(f"{bin_dir()} has no longshore: run `make build`, or set LONGSHORE_BIN")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for server in {id(s): s for s in item.funcargs.values() if isinstance(s, Server)}.values():
            report.sections.append((f"log of {server.data_dir}", server.tail()))
    return report


@pytest.fixture(scope="session")
def server():
    server = Server()
    server.start()
    yield server
    server.end()


@pytest.fixture
def own_server():
    """For tests that kill it."""
    server = Server("longshore-own-")
    yield server
    server.end()


@pytest.fixture(scope="session")
def account(server):
    return Account(server)


@pytest.fixture(scope="session")
def busybox(account):
    """The image most tests run: the name for a task definition."""
    return account.push(image.busybox())


@pytest.fixture
def stage(account, busybox):
    stage = Stage(account, busybox)
    yield stage
    stage.clear()


@pytest.fixture
def own_stage(own_server):
    """A stage on a server of its own, which is started here."""
    own_server.start()
    account = Account(own_server)
    return Stage(account, account.push(image.busybox()))
