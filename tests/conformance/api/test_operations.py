"""Every operation of the models: implemented, its answers fit its shapes; not implemented, it says so."""

import importlib
import xml.etree.ElementTree as ElementTree

import pytest
from botocore import xform_name
from kit import shapes, wrong


# Implemented, and the true answer is always one of the model's own refusals.
ALWAYS_REFUSED = {("ecs", "UpdateContainerAgent")}


def test_the_table_is_the_models(coverage):
    """No operation is left out of `longshore api`, none invented."""
    assert set(coverage) == set(shapes.operations())


@pytest.mark.parametrize("service, name", shapes.operations())
def test_operation(request, coverage, service, name):
    if coverage[service, name]:
        scene = request.getfixturevalue("scene")
        scenarios = importlib.import_module(f"api.scenarios.{service}")
        run = getattr(scenarios, xform_name(name), None)
        assert run is not None, f"{service} {name} is implemented: write its scenario in api/scenarios/{service}.py"
        before = set(scene.account.succeeded)
        scene.account.succeeded.clear()
        run(scene)
        assert ((service, name) in scene.account.succeeded) != ((service, name) in ALWAYS_REFUSED), (
            f"the scenario of {name} never calls it with success")
        scene.account.succeeded |= before
    elif service == "sts":
        refuses_in_xml(request.getfixturevalue("caller"), name)
    else:
        refuses(request.getfixturevalue("caller"), service, name)


def refuses(caller, service, name):
    """Whatever its input is: nobody should have to find a valid one first."""
    shape = shapes.operation(service, name).input_shape
    inputs = [{}, b"", b"{", {"x": 1}]
    if shape is not None:
        inputs += [wrong.sample(shape), wrong.sample(shape, full=True)]
    for body in inputs:
        reply = caller.json(service, name, body)
        assert reply.status == 400 and reply.code == shapes.UNSUPPORTED[service], reply
        assert name in reply.message


def refuses_in_xml(caller, name):
    version = shapes.model("sts").api_version
    answer, content = caller.send("sts", f"Action={name}&Version={version}".encode(), {
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    root = ElementTree.fromstring(content)
    told = {element.tag.rsplit("}", 1)[-1]: element.text for element in root.iter()}
    assert answer.status == 400 and root.tag.endswith("}ErrorResponse")
    assert told["Code"] == "InvalidAction" and name in told["Message"]
    assert told["Type"] == "Sender" and told["RequestId"]
