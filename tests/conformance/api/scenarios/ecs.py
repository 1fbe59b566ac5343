from support.aws import NETWORK, refused, unique
from support.waiting import wait_until

TAGS = [{"key": "team", "value": "harbour"}]
SETTINGS = [{"name": "containerInsights", "value": "enabled"}]


def create_cluster(scene):
    name = unique("conformance")
    made = scene.ecs.create_cluster(clusterName=name, tags=TAGS, settings=SETTINGS)["cluster"]
    assert made["clusterName"] == name and made["status"] == "ACTIVE"


def delete_cluster(scene):
    name = unique("conformance")
    scene.ecs.create_cluster(clusterName=name)
    assert scene.ecs.delete_cluster(cluster=name)["cluster"]["status"] == "INACTIVE"


def describe_clusters(scene):
    answer = scene.ecs.describe_clusters(clusters=[scene.cluster, "none"], include=[
        "ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"])
    assert len(answer["clusters"]) == 1 and answer["failures"]


def list_clusters(scene):
    assert scene.ecs.list_clusters(maxResults=1)["nextToken"]


def update_cluster(scene):
    scene.ecs.update_cluster(cluster=scene.cluster, settings=SETTINGS)


def update_cluster_settings(scene):
    scene.ecs.update_cluster_settings(cluster=scene.cluster, settings=SETTINGS)


# Task definitions ---------------------------------------------------------------------------


def register_task_definition(scene):
    """With nearly every member that a definition may have: what is given comes back."""
    port = {"containerPort": 80, "hostPort": 80, "protocol": "tcp", "name": "http", "appProtocol": "http"}
    container = scene.container(
        "exit 0", logged=True, cpu=10, memory=128, memoryReservation=64, portMappings=[port],
        entryPoint=["/bin/sh"], workingDirectory="/tmp", user="1000:1000", readonlyRootFilesystem=True,
        environment=[{"name": "A", "value": "1"}], dockerLabels={"a": "b"}, interactive=True,
        healthCheck={"command": ["CMD", "true"], "interval": 10, "timeout": 3, "retries": 2, "startPeriod": 1},
        ulimits=[{"name": "nofile", "softLimit": 10, "hardLimit": 20}], stopTimeout=5, startTimeout=60,
        mountPoints=[{"sourceVolume": "v", "containerPath": "/v", "readOnly": True}],
        linuxParameters={"initProcessEnabled": True}, systemControls=[], volumesFrom=[])
    sidecar = scene.container("exit 0", name="sidecar", essential=False,
                              dependsOn=[{"containerName": "app", "condition": "START"}])
    answer = scene.ecs.register_task_definition(
        family=unique("conformance"), cpu="256", memory="512", networkMode="awsvpc", tags=TAGS,
        requiresCompatibilities=["FARGATE"], containerDefinitions=[container, sidecar], volumes=[{"name": "v"}],
        executionRoleArn="arn:aws:iam::000000000000:role/exec", taskRoleArn="arn:aws:iam::000000000000:role/task",
        runtimePlatform={"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
        ephemeralStorage={"sizeInGiB": 30})
    assert answer["taskDefinition"]["revision"] == 1 and answer["tags"] == TAGS
    scene.ecs.register_task_definition(family=unique("conformance"), containerDefinitions=[
        {"name": "a", "image": "a", "memory": 64, "resourceRequirements": [{"type": "GPU", "value": "2"}]}])


def describe_task_definition(scene):
    arn = scene.definition(tags=TAGS)
    assert scene.ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"])["tags"] == TAGS


def deregister_task_definition(scene):
    answer = scene.ecs.deregister_task_definition(taskDefinition=scene.definition())
    assert answer["taskDefinition"]["status"] == "INACTIVE" and answer["taskDefinition"]["deregisteredAt"]


def delete_task_definitions(scene):
    arn = scene.definition()
    scene.ecs.deregister_task_definition(taskDefinition=arn)
    answer = scene.ecs.delete_task_definitions(taskDefinitions=[arn, scene.definition()])
    assert len(answer["taskDefinitions"]) == 1 and len(answer["failures"]) == 1


def list_task_definitions(scene):
    scene.definition()
    scene.definition()
    assert scene.ecs.list_task_definitions(familyPrefix=scene.name, sort="DESC", maxResults=1)["nextToken"]


def list_task_definition_families(scene):
    scene.definition()
    found = scene.ecs.list_task_definition_families(familyPrefix=scene.name, status="ACTIVE")
    assert found["families"] == [scene.name]


# Tasks --------------------------------------------------------------------------------------


def run_task(scene):
    """Its answer, and the task as it is described through its whole life."""
    arn, = scene.run(scene.definition("trap 'exit 0' TERM; sleep 1000 & wait", tags=TAGS), count=1, tags=TAGS,
                     startedBy="conformance", group="family:other", propagateTags="TASK_DEFINITION",
                     enableECSManagedTags=True, overrides={"containerOverrides": [
                         {"name": "app", "environment": [{"name": "A", "value": "1"}], "cpu": 10}], "cpu": "256"})
    scene.wait_running(arn)
    scene.ecs.stop_task(cluster=scene.cluster, task=arn, reason="seen enough")
    task = scene.wait(arn)
    assert task["stopCode"] == "UserInitiated" and task["containers"][0]["exitCode"] == 0
    failing = scene.finish("exit 3")
    assert failing["stopCode"] == "EssentialContainerExited"


def stop_task(scene):
    arn = scene.running_task()
    task = scene.ecs.stop_task(cluster=scene.cluster, task=arn, reason="because")["task"]
    assert task["desiredStatus"] == "STOPPED" and task["stoppedReason"] == "because"


def describe_tasks(scene):
    arn = scene.running_task()
    answer = scene.ecs.describe_tasks(cluster=scene.cluster, tasks=[arn, arn[:-4] + "0000"], include=["TAGS"])
    assert len(answer["tasks"]) == 1 and answer["failures"][0]["reason"] == "MISSING"


def list_tasks(scene):
    definition = scene.definition()
    scene.run(definition, count=2)
    assert scene.ecs.list_tasks(cluster=scene.cluster, maxResults=1, launchType="FARGATE")["nextToken"]


def start_task(scene):
    """On an instance with an agent that says so, and on one that there isn't."""
    instance = scene.instance(platformDevices=[{"id": "GPU-1", "type": "GPU"}])
    definition = scene.ecs.register_task_definition(family=unique("conformance"), containerDefinitions=[
        {"name": "a", "image": "a", "memory": 64}])["taskDefinition"]["taskDefinitionArn"]
    answer = scene.ecs.start_task(
        cluster=scene.cluster, taskDefinition=definition, tags=TAGS, startedBy="conformance", group="batch",
        containerInstances=[instance, instance[:-4] + "0000"], enableECSManagedTags=True,
        overrides={"containerOverrides": [{"name": "a", "resourceRequirements": [{"type": "GPU", "value": "1"}]}]})
    # Nobody is behind the registration.
    assert [failure["reason"] for failure in answer["failures"]] == ["AGENT", "MISSING"] and answer["tasks"] == []


def protected_service(scene):
    """(service, the ARN of its task)"""
    name = scene.create_service(scene.definition())
    task, = scene.wait_stable(name, 1)
    return name, task["taskArn"]


def update_task_protection(scene):
    _, task = protected_service(scene)
    alone = scene.run(scene.definition())
    answer = scene.ecs.update_task_protection(cluster=scene.cluster, tasks=[task, alone], protectionEnabled=True,
                                              expiresInMinutes=5)
    assert answer["protectedTasks"][0]["protectionEnabled"] and answer["protectedTasks"][0]["expirationDate"]
    assert answer["failures"][0]["reason"] == "TASK_NOT_VALID"
    scene.ecs.update_task_protection(cluster=scene.cluster, tasks=[task], protectionEnabled=False)


def get_task_protection(scene):
    _, task = protected_service(scene)
    answer = scene.ecs.get_task_protection(cluster=scene.cluster, tasks=[task, task[:-4] + "0000"])
    assert answer["protectedTasks"] == [{"taskArn": task, "protectionEnabled": False}]
    assert answer["failures"][0]["reason"] == "MISSING"


# Task sets ----------------------------------------------------------------------------------


def task_set(scene):
    """(what names its service, a new task set of it)"""
    name = unique("sets")
    scene.ecs.create_service(cluster=scene.cluster, serviceName=name, desiredCount=1,
                             deploymentController={"type": "EXTERNAL"})
    where = {"cluster": scene.cluster, "service": name}
    made = scene.ecs.create_task_set(
        **where, taskDefinition=scene.definition(), launchType="FARGATE", networkConfiguration=NETWORK,
        externalId="outside", scale={"value": 50.0, "unit": "PERCENT"}, tags=TAGS)["taskSet"]
    return where, made


def create_task_set(scene):
    _, made = task_set(scene)
    assert made["computedDesiredCount"] == 1 and made["tags"] == TAGS


def describe_task_sets(scene):
    where, made = task_set(scene)
    answer = scene.ecs.describe_task_sets(**where, taskSets=[made["id"], "ecs-svc/1"], include=["TAGS"])
    assert answer["taskSets"][0]["tags"] == TAGS and answer["failures"][0]["reason"] == "MISSING"


def update_task_set(scene):
    where, made = task_set(scene)
    scale = {"value": 0.0, "unit": "PERCENT"}
    updated = scene.ecs.update_task_set(**where, taskSet=made["taskSetArn"], scale=scale)["taskSet"]
    assert updated["scale"] == scale and updated["computedDesiredCount"] == 0


def update_service_primary_task_set(scene):
    where, made = task_set(scene)
    primary = scene.ecs.update_service_primary_task_set(**where, primaryTaskSet=made["id"])["taskSet"]
    assert primary["status"] == "PRIMARY"


def delete_task_set(scene):
    where, made = task_set(scene)
    assert scene.ecs.delete_task_set(**where, taskSet=made["id"], force=True)["taskSet"]["status"] == "DRAINING"


# Services -----------------------------------------------------------------------------------


def create_service(scene):
    name = scene.create_service(
        scene.definition(), tags=TAGS, propagateTags="SERVICE", enableECSManagedTags=True,
        deploymentConfiguration={"minimumHealthyPercent": 50, "maximumPercent": 150})
    scene.wait_stable(name, 1)
    daemon = scene.ecs.create_service(
        cluster=scene.cluster, serviceName=unique("daemon"), taskDefinition=scene.definition(), launchType="EC2",
        schedulingStrategy="DAEMON", networkConfiguration=NETWORK)["service"]
    assert daemon["schedulingStrategy"] == "DAEMON" and daemon["deploymentConfiguration"]["maximumPercent"] == 100


def update_service(scene):
    name = scene.create_service(scene.definition())
    scene.wait_stable(name, 1)
    scene.ecs.update_service(cluster=scene.cluster, service=name, taskDefinition=scene.definition(), desiredCount=2,
                             forceNewDeployment=True)
    assert len(scene.service(name)["deployments"]) == 2


def delete_service(scene):
    name = scene.create_service(scene.definition(), count=0)
    gone = scene.ecs.delete_service(cluster=scene.cluster, service=name, force=True)["service"]
    assert gone["status"] in ("DRAINING", "INACTIVE")


def describe_services(scene):
    name = scene.create_service(scene.definition(), tags=TAGS)
    scene.wait_stable(name, 1)
    answer = scene.ecs.describe_services(cluster=scene.cluster, services=[name, "none"], include=["TAGS"])
    assert answer["services"][0]["tags"] == TAGS and answer["failures"][0]["reason"] == "MISSING"


def list_services(scene):
    definition = scene.definition()
    for _ in range(2):
        scene.create_service(definition, count=0)
    answer = scene.ecs.list_services(cluster=scene.cluster, launchType="FARGATE", schedulingStrategy="REPLICA",
                                     maxResults=1)
    assert answer["nextToken"]


# Service deployments ------------------------------------------------------------------------


def deployed_twice(scene):
    """(service, its deployments, the newest first); the first has come to its end."""
    name = scene.create_service(scene.definition())
    scene.wait_stable(name, 1)
    scene.ecs.update_service(cluster=scene.cluster, service=name, forceNewDeployment=True)
    found = scene.ecs.list_service_deployments(cluster=scene.cluster, service=name)["serviceDeployments"]
    assert len(found) == 2 and found[1]["status"] == "SUCCESSFUL" and found[1]["finishedAt"]
    return name, found


def list_service_deployments(scene):
    name, found = deployed_twice(scene)
    answer = scene.ecs.list_service_deployments(cluster=scene.cluster, service=name, maxResults=1,
                                                createdAt={"after": 0, "before": found[0]["createdAt"]})
    assert answer["serviceDeployments"] == found[1:]
    assert scene.ecs.list_service_deployments(cluster=scene.cluster, service=name, maxResults=1)["nextToken"]


def describe_service_deployments(scene):
    _, found = deployed_twice(scene)
    arns = [one["serviceDeploymentArn"] for one in found]
    answer = scene.ecs.describe_service_deployments(serviceDeploymentArns=[*arns, arns[0][:-4] + "none"])
    assert len(answer["serviceDeployments"]) == 2 and answer["failures"][0]["reason"] == "MISSING"
    assert answer["serviceDeployments"][0]["sourceServiceRevisions"]


def describe_service_revisions(scene):
    _, found = deployed_twice(scene)
    arns = [one["targetServiceRevisionArn"] for one in found]
    answer = scene.ecs.describe_service_revisions(serviceRevisionArns=[*arns, arns[0][:-4] + "none"])
    assert len(answer["serviceRevisions"]) == 2 and answer["failures"][0]["reason"] == "MISSING"


def continue_service_deployment(scene):
    name = scene.create_service(scene.definition())
    scene.wait_stable(name, 1)
    scene.ecs.update_service(
        cluster=scene.cluster, service=name, taskDefinition=scene.definition(), deploymentConfiguration={
            "strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [
                {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}]})
    arn = scene.ecs.list_service_deployments(
        cluster=scene.cluster, service=name)["serviceDeployments"][0]["serviceDeploymentArn"]

    def paused():
        found, = scene.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
        return found.get("lifecycleHookDetails")
    hook, = wait_until(paused, "the deployment to be paused")
    assert hook["status"] == "AWAITING_ACTION"
    scene.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook["hookId"])


def stop_service_deployment(scene):
    """Whether or not the scheduler has got to it when it is described."""
    name = scene.create_service(scene.definition())
    scene.wait_stable(name, 1)
    # Nowhere to be had, so it doesn't end by itself meanwhile.
    away = scene.register(scene.container("exit 0", image=f"{scene.account.server.host}/none/such:1"))
    updated = scene.ecs.update_service(cluster=scene.cluster, service=name, taskDefinition=away)["service"]
    arn = updated["currentServiceDeployment"]
    assert scene.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")["serviceDeploymentArn"] == arn
    stopped, = scene.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"]
    assert stopped["status"].startswith("ROLLBACK_") and stopped["statusReason"]


# What agents call ---------------------------------------------------------------------------


def register_container_instance(scene):
    arn = scene.instance(tags=TAGS)
    again = scene.instance(containerInstanceArn=arn, attributes=[{"name": "rack", "value": "r2"}],
                           platformDevices=[{"id": "GPU-1", "type": "GPU"}])
    assert again == arn


def deregister_container_instance(scene):
    arn = scene.instance()
    answer = scene.ecs.deregister_container_instance(cluster=scene.cluster, containerInstance=arn, force=True)
    assert answer["containerInstance"]["status"] == "INACTIVE"


def describe_container_instances(scene):
    arn = scene.instance(tags=TAGS, platformDevices=[{"id": "GPU-1", "type": "GPU"}])
    answer = scene.ecs.describe_container_instances(
        cluster=scene.cluster, containerInstances=[arn, arn[:-4] + "0000"], include=["TAGS", "CONTAINER_INSTANCE_HEALTH"])
    assert answer["containerInstances"][0]["tags"] == TAGS and answer["failures"]
    free = {resource["name"]: resource for resource in answer["containerInstances"][0]["remainingResources"]}
    assert free["GPU"]["stringSetValue"] == ["GPU-1"]


def list_container_instances(scene):
    for _ in range(2):
        scene.instance()
    answer = scene.ecs.list_container_instances(cluster=scene.cluster, filter="attribute:rack == r1", status="ACTIVE",
                                                maxResults=1)
    assert answer["nextToken"]


def update_container_instances_state(scene):
    arn = scene.instance()
    answer = scene.ecs.update_container_instances_state(
        cluster=scene.cluster, containerInstances=[arn, arn[:-4] + "0000"], status="DRAINING")
    assert answer["containerInstances"][0]["status"] == "DRAINING" and answer["failures"][0]["reason"] == "MISSING"


def update_container_agent(scene):
    """Nobody publishes agents here, so the truthful answer is a refusal."""
    arn = scene.instance()
    refused(lambda: scene.ecs.update_container_agent(cluster=scene.cluster, containerInstance=arn),
            "NoUpdateAvailableException")
    refused(lambda: scene.ecs.update_container_agent(cluster=scene.cluster, containerInstance=arn[:-4] + "0000"),
            "InvalidParameterException")


def put_attributes(scene):
    attribute = {"name": "stack", "value": "production", "targetId": scene.instance()}
    assert scene.ecs.put_attributes(cluster=scene.cluster, attributes=[attribute])["attributes"] == [attribute]


def delete_attributes(scene):
    arn = scene.instance()
    attribute = {"name": "rack", "targetId": arn.rsplit("/", 1)[1], "targetType": "container-instance"}
    answer = scene.ecs.delete_attributes(cluster=scene.cluster, attributes=[attribute])
    assert answer["attributes"] == [{"name": "rack", "value": "r1", "targetId": arn}]


def list_attributes(scene):
    for _ in range(2):
        scene.instance()
    answer = scene.ecs.list_attributes(cluster=scene.cluster, targetType="container-instance", attributeName="rack",
                                       attributeValue="r1", maxResults=1)
    assert len(answer["attributes"]) == 1 and answer["nextToken"]


def discover_poll_endpoint(scene):
    answer = scene.ecs.discover_poll_endpoint(cluster=scene.cluster, containerInstance=scene.instance())
    assert answer["endpoint"].startswith(scene.account.server.url)


def reported_task(scene):
    """A task that an agent could report about."""
    return scene.ecs.run_task(cluster=scene.cluster, taskDefinition=scene.definition(), launchType="FARGATE",
                              networkConfiguration=NETWORK)["tasks"][0]


def submit_task_state_change(scene):
    task = reported_task(scene)
    scene.ecs.stop_task(cluster=scene.cluster, task=task["taskArn"])
    answer = scene.ecs.submit_task_state_change(
        cluster=scene.cluster, task=task["taskArn"], status="STOPPED", reason="conformance",
        containers=[{"containerName": "app", "status": "STOPPED", "exitCode": 0}])
    assert answer["acknowledgment"]


def submit_container_state_change(scene):
    task = reported_task(scene)
    answer = scene.ecs.submit_container_state_change(
        cluster=scene.cluster, task=task["taskArn"], containerName="app", status="STOPPED", exitCode=1)
    assert answer["acknowledgment"]


def submit_attachment_state_changes(scene):
    task = reported_task(scene)
    arn = task["taskArn"].split(":task/")[0] + ":attachment/" + task["attachments"][0]["id"]
    answer = scene.ecs.submit_attachment_state_changes(cluster=scene.cluster, attachments=[
        {"attachmentArn": arn, "status": "ATTACHED"}])
    assert answer["acknowledgment"]


# Tags ---------------------------------------------------------------------------------------


def cluster_arn(scene):
    return scene.ecs.describe_clusters(clusters=[scene.cluster])["clusters"][0]["clusterArn"]


def tag_resource(scene):
    scene.ecs.tag_resource(resourceArn=cluster_arn(scene), tags=TAGS)


def untag_resource(scene):
    scene.ecs.tag_resource(resourceArn=cluster_arn(scene), tags=TAGS)
    scene.ecs.untag_resource(resourceArn=cluster_arn(scene), tagKeys=["team"])


def list_tags_for_resource(scene):
    scene.ecs.tag_resource(resourceArn=cluster_arn(scene), tags=TAGS)
    assert scene.ecs.list_tags_for_resource(resourceArn=cluster_arn(scene))["tags"] == TAGS


# The account --------------------------------------------------------------------------------


def put_account_setting(scene):
    user = f"arn:aws:iam::{scene.account.account_id()}:user/conformance"
    setting = scene.ecs.put_account_setting(name="awsvpcTrunking", value="enabled", principalArn=user)["setting"]
    assert setting == {"name": "awsvpcTrunking", "value": "enabled", "principalArn": user, "type": "user"}


def put_account_setting_default(scene):
    setting = scene.ecs.put_account_setting_default(name="fargateTaskRetirementWaitPeriod", value="14")["setting"]
    assert setting["principalArn"].endswith(":root")


def list_account_settings(scene):
    answer = scene.ecs.list_account_settings(effectiveSettings=True, maxResults=10)
    assert len(answer["settings"]) == 10 and answer["nextToken"]


def delete_account_setting(scene):
    scene.ecs.put_account_setting_default(name="awsvpcTrunking", value="enabled")
    assert scene.ecs.delete_account_setting(name="awsvpcTrunking")["setting"]["value"] == "disabled"
