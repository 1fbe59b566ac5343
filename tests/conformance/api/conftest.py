import pytest
from kit.caller import Caller
from kit.scene import CheckedAccount, Scene


@pytest.fixture(scope="session")
def checked(server):
    return CheckedAccount(server)


@pytest.fixture
def scene(checked, busybox):
    scene = Scene(checked, busybox)
    yield scene
    scene.clear()


@pytest.fixture(scope="session")
def caller(account):
    return Caller(account)
