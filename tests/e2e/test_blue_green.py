"""BLUE_GREEN deployments: the new tasks beside the old ones, hooks that are asked, and the way back."""

import pytest
from support.aws import Account, Stage, refused
from support.hook import Hook
from support.waiting import wait_until

IDLE = "trap 'exit 0' TERM; sleep 600 & wait"


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.close()


def configure(hooks, bake=0):
    return {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": bake, "lifecycleHooks": hooks}


def asking(hook, *stages, **fields):
    return {"hookTargetArn": hook.url, "roleArn": "arn:aws:iam::000000000000:role/hooks",
            "lifecycleStages": list(stages), **fields}


def newest(stage, service):
    brief = stage.ecs.list_service_deployments(cluster=stage.cluster, service=service)["serviceDeployments"][0]
    answer = stage.ecs.describe_service_deployments(serviceDeploymentArns=[brief["serviceDeploymentArn"]])
    return answer["serviceDeployments"][0]


def ends(stage, service, status):
    wait_until(lambda: newest(stage, service)["status"] == status, f"the deployment to be {status}")
    return newest(stage, service)


def running(stage, service, definition):
    return len([task for task in stage.running(service) if task["taskDefinitionArn"] == definition])


@pytest.mark.long
def test_green_takes_over_as_its_hooks_let_it(server, stage, hook):
    blue, green = (stage.register(stage.container(IDLE)) for _ in range(2))
    stages = ["PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"]
    name = stage.create_service(blue, 2, deploymentConfiguration=configure([asking(hook, *stages)]))
    stage.wait_stable(name, 2)
    assert hook.stages() == stages, "the first deployment goes through them too"
    hook.told.clear()
    planned = server.run("plan", "--cluster", stage.cluster, "--service", name, "--task-definition", green).stdout
    assert "wait for a hook at POST_SCALE_UP" in planned and "2 started, 2 stopped" in planned, planned
    hook.answer = {"hookStatus": "IN_PROGRESS", "callBackDelay": 1, "hookDetails": {"seen": 1}}
    stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=green)
    wait_until(lambda: len(hook.told) > 1, "the hook to be asked again")
    assert hook.told[1]["executionId"] == hook.told[0]["executionId"]
    assert "hookDetails" not in hook.told[0] and hook.told[1]["hookDetails"] == {"seen": 1}
    now = newest(stage, name)
    assert (now["lifecycleStage"], now["status"]) == ("PRE_SCALE_UP", "IN_PROGRESS")
    detail, = now["lifecycleHookDetails"]
    assert (detail["status"], detail["targetType"], detail["targetArn"]) == ("IN_PROGRESS", "AWS_LAMBDA", hook.url)
    assert running(stage, name, green) == 0
    hook.answer = {"hookStatus": "SUCCEEDED"}
    done = ends(stage, name, "SUCCESSFUL")
    assert done["lifecycleStage"] == "CLEAN_UP"
    assert list(dict.fromkeys(hook.stages())) == stages
    last = hook.told[-1]
    new, old = done["targetServiceRevision"]["arn"], done["sourceServiceRevisions"][0]["arn"]
    assert last["resourceArn"] == done["serviceDeploymentArn"]
    assert last["executionDetails"] == {
        "serviceArn": done["serviceArn"], "targetServiceRevisionArn": new, "testTrafficWeights": {},
        "productionTrafficWeights": {new: 100, old: 0}}
    stage.wait_stable(name, 2)
    assert (running(stage, name, blue), running(stage, name, green)) == (0, 2)


@pytest.mark.long
def test_a_hook_that_fails_leads_back_to_the_same_tasks(stage, hook):
    blue, green = (stage.register(stage.container(IDLE)) for _ in range(2))
    name = stage.create_service(blue, 2, deploymentConfiguration=configure([asking(hook, "POST_SCALE_UP")]))
    before = {task["taskArn"] for task in stage.wait_stable(name, 2)}
    hook.answer = {"hookStatus": "IN_PROGRESS", "callBackDelay": 1}
    stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=green)
    wait_until(lambda: running(stage, name, green) == 2, "green to be up beside blue")
    assert running(stage, name, blue) == 2
    hook.answer = {"hookStatus": "nonsense"}
    back = ends(stage, name, "ROLLBACK_SUCCESSFUL")
    assert "lifecycle hook failed" in back["statusReason"] and back["rollback"]["serviceRevisionArn"]
    assert {task["taskArn"] for task in stage.wait_stable(name, 2)} == before


@pytest.mark.long
def test_a_pause_outlives_a_kill_and_goes_on_when_it_is_told(own_server, own_stage):
    blue, green, red = (own_stage.register(own_stage.container(IDLE)) for _ in range(3))
    name = own_stage.create_service(blue, 1)
    own_stage.wait_stable(name, 1)
    pause = {"targetType": "PAUSE", "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT"],
             "timeoutConfiguration": {"timeoutInMinutes": 60, "action": "CONTINUE"}}
    own_stage.ecs.update_service(cluster=own_stage.cluster, service=name, taskDefinition=green,
                                 deploymentConfiguration=configure([pause]))

    def paused(stage):
        details = newest(stage, name).get("lifecycleHookDetails", [])
        return details[0] if details and details[0]["status"] == "AWAITING_ACTION" else None
    before = wait_until(lambda: paused(own_stage), "the deployment to be paused")
    assert before["targetType"] == "PAUSE" and before["timeoutAction"] == "CONTINUE" and before["expiresAt"]
    own_server.kill()
    own_server.start()
    stage = Stage(Account(own_server), own_stage.image)
    stage.cluster, stage.name, stage.group = own_stage.cluster, own_stage.name, own_stage.group
    assert paused(stage) == before
    arn, ecs = newest(stage, name)["serviceDeploymentArn"], stage.ecs
    refused(lambda: ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId="ecs-pause-none"),
            "InvalidParameterException", "does not await an action")
    refused(lambda: ecs.continue_service_deployment(serviceDeploymentArn=arn[:-4] + "none", hookId="x"),
            "ServiceDeploymentNotFoundException")
    assert ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=before["hookId"]) \
        ["serviceDeploymentArn"] == arn
    ends(stage, name, "SUCCESSFUL")
    stage.wait_stable(name, 1)
    assert running(stage, name, green) == 1

    ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=red)
    again = wait_until(lambda: paused(stage), "the next deployment to be paused")
    assert again["hookId"] != before["hookId"]
    ecs.continue_service_deployment(serviceDeploymentArn=newest(stage, name)["serviceDeploymentArn"],
                                    hookId=again["hookId"], action="ROLLBACK")
    ends(stage, name, "ROLLBACK_SUCCESSFUL")
    stage.wait_stable(name, 1)
    assert running(stage, name, green) == 1


@pytest.mark.long
def test_stopping_while_it_bakes_is_an_instant_rollback(stage, hook):
    blue, green = (stage.register(stage.container(IDLE)) for _ in range(2))
    name = stage.create_service(blue, 1)
    before = [task["taskArn"] for task in stage.wait_stable(name, 1)]
    stage.ecs.update_service(
        cluster=stage.cluster, service=name, taskDefinition=green,
        deploymentConfiguration=configure([asking(hook, "PRODUCTION_TRAFFIC_SHIFT")], bake=60))
    wait_until(lambda: newest(stage, name)["lifecycleStage"] == "BAKE_TIME", "the bake time to begin")
    assert (running(stage, name, blue), running(stage, name, green)) == (1, 1)
    stage.ecs.stop_service_deployment(serviceDeploymentArn=newest(stage, name)["serviceDeploymentArn"])
    back = ends(stage, name, "ROLLBACK_SUCCESSFUL")
    assert [task["taskArn"] for task in stage.wait_stable(name, 1)] == before
    weights = [told["executionDetails"]["productionTrafficWeights"] for told in hook.told]
    new = back["targetServiceRevision"]["arn"]
    assert [weight[new] for weight in weights] == [100, 0], "forward, and back"


def test_a_rolling_update_pauses_and_goes_on(stage):
    old, new = (stage.register(stage.container(IDLE)) for _ in range(2))
    name = stage.create_service(old, 2)
    before = {task["taskArn"] for task in stage.wait_stable(name, 2)}
    pause = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP", "POST_SCALE_UP"]}
    stage.ecs.update_service(cluster=stage.cluster, service=name, taskDefinition=new,
                             deploymentConfiguration={"strategy": "ROLLING", "lifecycleHooks": [pause]})

    def paused(at):
        now = newest(stage, name)
        return now if now.get("lifecycleStage") == at and now["lifecycleHookDetails"] else None

    def go_on(at, action):
        now = wait_until(lambda: paused(at), f"the deployment to be paused at {at}")
        stage.ecs.continue_service_deployment(serviceDeploymentArn=now["serviceDeploymentArn"], action=action,
                                              hookId=now["lifecycleHookDetails"][0]["hookId"])
    wait_until(lambda: paused("PRE_SCALE_UP"), "the deployment to be paused")
    assert {task["taskArn"] for task in stage.running(name)} == before
    # What ends meanwhile is replaced by its like.
    stage.ecs.stop_task(cluster=stage.cluster, task=before.pop())
    wait_until(lambda: running(stage, name, old) == 2, "another one of the old definition")
    go_on("PRE_SCALE_UP", "CONTINUE")
    wait_until(lambda: paused("POST_SCALE_UP"), "the deployment to be paused once more")
    assert (running(stage, name, old), running(stage, name, new)) == (0, 2)
    go_on("POST_SCALE_UP", "ROLLBACK")
    ends(stage, name, "ROLLBACK_SUCCESSFUL")
    stage.wait_stable(name, 2)
    assert running(stage, name, old) == 2
