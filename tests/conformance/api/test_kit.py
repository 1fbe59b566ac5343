"""The checker itself: a test that sees nothing would pass for ever."""

import pytest
from kit import shapes, wrong
from kit.shapes import error_findings, findings, operation

CLUSTER = operation("ecs", "CreateCluster").output_shape
RUN = operation("ecs", "RunTask").output_shape


@pytest.mark.parametrize("body", [
    {"cluster": {"clusterName": 1}},
    {"cluster": {"clusterName": None}},
    {"cluster": {"ClusterName": "a"}},
    {"cluster": []},
    {"cluster": {"tags": {}}},
    {"cluster": {"runningTasksCount": 1.5}},
    {"cluster": {"runningTasksCount": True}},
    {"cluster": {"runningTasksCount": 2 ** 31}},
    {"cluster": {"settings": [{"name": "noSetting"}]}},
    {"other": {}},
    [],
])
def test_what_is_not_an_output_is_found(body):
    assert findings(CLUSTER, body)


@pytest.mark.parametrize("shape, body", [
    (CLUSTER, {"cluster": {"clusterName": "a", "tags": [{"key": "a", "value": ""}], "runningTasksCount": 0}}),
    (CLUSTER, {}),
    (RUN, {"tasks": [{"createdAt": 1763900000.123, "containers": []}], "failures": []}),
    (None, {}),
])
def test_an_output_is_none(shape, body):
    assert findings(shape, body) == []


def test_times_are_seconds():
    assert findings(RUN, {"tasks": [{"createdAt": 1763900000123}]})
    assert findings(RUN, {"tasks": [{"createdAt": "2025-01-01"}]})


@pytest.mark.parametrize("status, body", [
    (400, {"__type": "NoSuchException", "message": "m"}),
    (400, {"__type": "ClusterNotFoundException"}),
    (404, {"__type": "ClusterNotFoundException", "message": "m"}),
    (400, {"__type": "ClusterNotFoundException", "message": "m", "more": 1}),
    (400, {"message": "m"}),
    (400, []),
])
def test_what_is_not_an_error_is_found(status, body):
    assert error_findings("ecs", "RunTask", status, body)


def test_an_error_of_the_operation_is_none():
    assert error_findings("ecs", "RunTask", 400, {"__type": "ClusterNotFoundException", "message": "m"}) == []


@pytest.mark.parametrize("service, name", shapes.operations())
def test_samples_are_what_the_model_allows(service, name):
    """What `wrong.py` takes for good is accepted by the checker, small and whole."""
    shape = operation(service, name).input_shape
    if shape is not None:
        assert findings(shape, wrong.sample(shape)) == []
        assert findings(shape, wrong.sample(shape, full=True)) == []
