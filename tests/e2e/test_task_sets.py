"""Services with the deployment controller EXTERNAL: task sets, which somebody else decides on."""

import pytest
from support.aws import NETWORK, refused
from support.waiting import wait_until

IDLE = "trap 'exit 0' TERM; sleep 600 & wait"


@pytest.mark.long
def test_task_sets_are_created_scaled_made_primary_and_deleted(stage):
    ecs, where = stage.ecs, {"cluster": stage.cluster, "service": "sets"}
    blue, green = (stage.register(stage.container(IDLE)) for _ in range(2))
    made = ecs.create_service(cluster=stage.cluster, serviceName="sets", desiredCount=2,
                              deploymentController={"type": "EXTERNAL"})["service"]
    assert made["taskSets"] == [] and made["deployments"] == []

    def create(definition, percent, **fields):
        return ecs.create_task_set(**where, taskDefinition=definition, launchType="FARGATE",
                                   networkConfiguration=NETWORK, scale={"value": percent, "unit": "PERCENT"},
                                   **fields)["taskSet"]

    def described(task_set):
        found, = ecs.describe_task_sets(**where, taskSets=[task_set["taskSetArn"]], include=["TAGS"])["taskSets"]
        return found

    def steady(task_set, count):
        def there():
            now = described(task_set)
            return now["stabilityStatus"] == "STEADY_STATE" and now["runningCount"] == count \
                == now["computedDesiredCount"]
        wait_until(there, f"{task_set['id']} to be steady with {count}")
    one = create(blue, 100.0, clientToken="once", tags=[{"key": "colour", "value": "blue"}])
    assert create(blue, 100.0, clientToken="once", tags=[{"key": "colour", "value": "blue"}])["id"] == one["id"]
    steady(one, 2)
    assert described(one)["tags"] == [{"key": "colour", "value": "blue"}]
    primary = ecs.update_service_primary_task_set(**where, primaryTaskSet=one["id"])["taskSet"]
    assert primary["status"] == "PRIMARY"
    other = create(green, 10.0)
    assert other["computedDesiredCount"] == 1, "rounded up"
    steady(other, 1)
    started = {task["startedBy"] for task in stage.running("sets")}
    assert started == {one["id"], other["id"]}
    ecs.update_task_set(**where, taskSet=other["taskSetArn"], scale={"value": 100.0, "unit": "PERCENT"})
    steady(other, 2)
    ecs.update_service_primary_task_set(**where, primaryTaskSet=other["id"])
    statuses = {found["id"]: found["status"] for found in ecs.describe_services(
        cluster=stage.cluster, services=["sets"])["services"][0]["taskSets"]}
    assert statuses == {one["id"]: "ACTIVE", other["id"]: "PRIMARY"}
    assert len(stage.running("sets")) == 4, "nothing is done by itself"
    refused(lambda: ecs.delete_task_set(**where, taskSet=one["id"]), "InvalidParameterException", "scaled above 0")
    assert ecs.delete_task_set(**where, taskSet=one["id"], force=True)["taskSet"]["status"] == "DRAINING"
    wait_until(lambda: len(ecs.describe_task_sets(**where)["taskSets"]) == 1, "the task set to be gone")
    assert {task["taskDefinitionArn"] for task in stage.running("sets")} == {green}
    refused(lambda: ecs.delete_task_set(**where, taskSet=one["id"]), "TaskSetNotFoundException")
    ecs.update_service(**where, desiredCount=3)
    steady(other, 3)
