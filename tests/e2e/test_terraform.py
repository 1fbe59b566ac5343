"""What Terraform's AWS provider does with an `aws_ecs_service` that has `wait_for_steady_state`, call by call
(hashicorp/terraform-provider-aws, internal/service/ecs/service.go): each wait must come to the right end."""

from datetime import UTC, datetime

import pytest
from support.aws import NETWORK, unique
from support.hook import Hook
from support.waiting import wait_until

GOOD = "trap 'exit 0' TERM; sleep 600 & wait"
FAILED = ("STOPPED", "ROLLBACK_FAILED", "ROLLBACK_SUCCESSFUL")
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


class Failed(Exception):
    pass


class Resource:
    """One `aws_ecs_service`."""

    def __init__(self, stage):
        self.stage, self.ecs, self.name = stage, stage.ecs, unique("svc")
        self.where = {"cluster": stage.cluster, "service": self.name}

    def create(self, definition, count=1, **fields):
        began = datetime.now(UTC)
        self.ecs.create_service(cluster=self.stage.cluster, serviceName=self.name, taskDefinition=definition,
                                desiredCount=count, launchType="FARGATE", networkConfiguration=NETWORK, **fields)
        return Wait(self, began)

    def update(self, **fields):
        began = datetime.now(UTC)
        self.ecs.update_service(**self.where, **fields)
        return Wait(self, began)

    def delete(self):
        self.ecs.update_service(**self.where, desiredCount=0)
        self.ecs.delete_service(**self.where, force=False)
        seen = []

        def inactive():
            seen.append(self.described()["status"])
            return seen[-1] == "INACTIVE"
        wait_until(inactive, "the service to be INACTIVE")
        assert set(seen) <= {"DRAINING", "INACTIVE"}, seen

    def described(self):
        return self.ecs.describe_services(cluster=self.stage.cluster, services=[self.name])["services"][0]


class Wait:
    """`statusServiceWaitForStable`, polled."""

    def __init__(self, resource, began):
        self.resource, self.ecs, self.began = resource, resource.ecs, began
        self.primary = self.deployment = None

    def status(self):
        service = self.resource.described()
        if service["status"] != "ACTIVE":
            return service["status"]
        if self.primary is None:
            self.primary = next((one for one in service["deployments"] if one["status"] == "PRIMARY"), None)
        is_new = self.primary is not None and self.primary["createdAt"] > self.began
        if is_new and service["deploymentController"]["type"] == "ECS":
            self.deployment = self.deployment or self.find()
            return self.of_deployment() if self.deployment else "tfPENDING"
        alone = len(service["deployments"]) == 1 and service["desiredCount"] == service["runningCount"]
        return "tfSTABLE" if alone else "tfPENDING"

    def find(self):
        """The service deployment whose target has the PRIMARY deployment's digits."""
        digits = self.primary["id"].split("/")[1]
        # The milliseconds are cut off by Go's SDK; boto3 would round them, up to the very one of the deployment.
        began = self.began.replace(microsecond=self.began.microsecond // 1000 * 1000)
        briefs = self.ecs.list_service_deployments(
            **self.resource.where, createdAt={"after": began})["serviceDeployments"]
        return next((one["serviceDeploymentArn"] for one in briefs if digits in one["targetServiceRevisionArn"]), None)

    def of_deployment(self):
        one, = self.ecs.describe_service_deployments(serviceDeploymentArns=[self.deployment])["serviceDeployments"]
        if one["status"] in FAILED:
            raise Failed(one.get("statusReason", "Deployment failed"))
        return "tfSTABLE" if one["status"] == "SUCCESSFUL" else "tfPENDING"

    def until_stable(self):
        """All that it sees on the way."""
        seen = []

        def stable():
            seen.append(self.status())
            return seen[-1] == "tfSTABLE"
        wait_until(stable, "the service to be stable, as Terraform sees it")
        assert set(seen) <= {"tfPENDING", "tfSTABLE"}, seen

    def interrupted(self):
        """`sigint_rollback`."""
        wait_until(lambda: self.status() and self.deployment, "the deployment to be found")
        self.ecs.stop_service_deployment(serviceDeploymentArn=self.deployment, stopType="ROLLBACK")
        with pytest.raises(Failed) as failed:
            self.until_stable()
        return str(failed.value)


@pytest.fixture
def resource(stage):
    return Resource(stage)


def good(stage):
    return stage.register(stage.container(GOOD))


def never_healthy(stage):
    check = {"command": ["CMD", "/bin/false"], "interval": 5, "timeout": 2, "retries": 10, "startPeriod": 300}
    return stage.register(stage.container(GOOD, healthCheck=check))


def test_create_update_scale_and_delete(stage, resource):
    resource.create(good(stage), 2).until_stable()
    assert len(stage.running(resource.name)) == 2
    new = good(stage)
    resource.update(taskDefinition=new).until_stable()
    assert [task["taskDefinitionArn"] for task in stage.running(resource.name)] == [new, new]
    # No new deployment: the counts say it.
    resource.update(desiredCount=3).until_stable()
    assert len(stage.running(resource.name)) == 3
    resource.update(forceNewDeployment=True).until_stable()
    resource.delete()


def test_a_deployment_that_fails_is_an_error_with_its_reason(stage, resource):
    resource.create(good(stage), deploymentConfiguration=BREAKER).until_stable()
    worse = stage.register(stage.container("sleep 600", image=f"{stage.account.server.host}/none/such:1"))
    with pytest.raises(Failed, match="rolled back because the circuit breaker threshold was exceeded"):
        resource.update(taskDefinition=worse).until_stable()
    stage.wait_stable(resource.name, 1)


def test_an_interrupt_rolls_back(stage, resource):
    resource.create(good(stage), 2).until_stable()
    before = {task["taskArn"] for task in stage.running(resource.name)}
    reason = resource.update(taskDefinition=never_healthy(stage)).interrupted()
    assert reason == "Service deployment rolled back because a user asked for it."
    assert {task["taskArn"] for task in stage.wait_stable(resource.name, 2)} == before


def test_blue_green_is_stable_when_blue_is_gone(stage, resource):
    hook = Hook()
    try:
        strategy = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [
            {"hookTargetArn": f"arn:aws:lambda:us-east-1:000000000000:function:{hook.url}",
             "roleArn": "arn:aws:iam::000000000000:role/hooks", "lifecycleStages": ["POST_SCALE_UP"]}]}
        resource.create(good(stage), deploymentConfiguration=strategy).until_stable()
        hook.answer = {"hookStatus": "IN_PROGRESS", "callBackDelay": 1}
        hook.told.clear()
        green = good(stage)
        wait = resource.update(taskDefinition=green)
        wait_until(lambda: hook.told, "the hook to be asked")
        assert wait.status() == "tfPENDING"
        hook.answer = {"hookStatus": "SUCCEEDED"}
        wait.until_stable()
        assert [task["taskDefinitionArn"] for task in stage.running(resource.name)] == [green]
        hook.answer = {"hookStatus": "FAILED"}
        with pytest.raises(Failed, match="a lifecycle hook failed"):
            resource.update(taskDefinition=good(stage)).until_stable()
        resource.delete()
    finally:
        hook.close()
