"""A push deploys: the services that follow a tag are brought to what is pushed under it, once."""

from support import image
from support.aws import Account, Stage
from support.waiting import wait_until

FOLLOWS = "longshore:deploy-on-push"


def picture(word):
    return image.busybox(extra=[("word", f"{word}\n".encode(), 0o644)])


def serve(stage, name, **fields):
    """A service of the image `name` that sleeps until it is told to end."""
    container = stage.container("cat /word; trap 'exit 0' TERM; sleep 600 & wait", image=name, logged=True)
    service = stage.create_service(stage.register(container), **fields)
    stage.wait_stable(service, fields.get("count", 1))
    return service


def says(stage, task, word):
    """The task has written that, and nothing else."""
    wait_until(lambda: stage.lines(task) == [word], f"the task to write {word}")


def revision(stage, service):
    return int(stage.service(service)["taskDefinition"].rsplit(":", 1)[1])


def deployed(stage, service, number, count=1):
    wait_until(lambda: revision(stage, service) == number, f"{service} to be deployed as revision {number}")
    return stage.wait_stable(service, count)


def test_a_push_deploys_once(stage):
    account = stage.account
    first, second = picture("one"), picture("two")
    repository = account.repository()
    name = account.push(first, repository)
    service = serve(stage, name, count=2)
    assert revision(stage, service) == 1

    account.push(second, repository)
    tasks = deployed(stage, service, 2, count=2)
    assert {task["containers"][0]["imageDigest"] for task in tasks} == {second.digest}
    says(stage, tasks[0], "two")
    definition = stage.ecs.describe_task_definition(taskDefinition=stage.name)["taskDefinition"]
    assert definition["revision"] == 2
    assert definition["containerDefinitions"][0]["image"] == f"{name}@{second.digest}"
    said = [event["message"] for event in stage.service(service)["events"]]
    assert f"(service {service}) is deployed as {stage.name}:2 because {repository}:latest was pushed as " \
           f"{second.digest}." in said

    # The same under the same tag is no news, and another tag isn't this service's.
    account.push(second, repository)
    account.push(picture("aside"), repository, tag="v9")
    account.push(first, repository)
    tasks = deployed(stage, service, 3, count=2)
    assert {task["containers"][0]["imageDigest"] for task in tasks} == {first.digest}
    revisions = stage.ecs.list_task_definitions(familyPrefix=stage.name)["taskDefinitionArns"]
    assert len(revisions) == 3


def test_a_service_says_which_tags_it_follows(stage):
    account = stage.account
    repository = account.repository()
    name = account.push(picture("one"), repository, tag="v1")
    releases = serve(stage, name, tags=[{"key": FOLLOWS, "value": "v+"}])
    still = serve(stage, name, tags=[{"key": FOLLOWS, "value": ""}])
    account.push(picture("main"), repository, tag="main")
    account.push(picture("two"), repository, tag="v2")
    tasks = deployed(stage, releases, 3)
    says(stage, tasks[0], "two")
    assert revision(stage, still) == 2 and len(stage.service(still)["deployments"]) == 1


def test_an_image_that_does_not_start_is_tried_once(stage):
    account = stage.account
    repository = account.repository()
    service = serve(stage, account.push(picture("one"), repository))
    before = {task["taskArn"] for task in stage.running(service)}
    broken = image.Image([image.layer(files=[("word", b"no shell", 0o644)])])
    account.push(broken, repository)
    wait_until(lambda: stage.tasks_of(service, "STOPPED"), "a task of the broken image to fail")
    failed = stage.tasks_of(service, "STOPPED")[0]
    assert failed["stopCode"] == "TaskFailedToStart", failed
    assert revision(stage, service) == 2
    assert {task["taskArn"] for task in stage.running(service)} == before, "the old task goes on"
    account.push(picture("two"), repository)
    tasks = deployed(stage, service, 3)
    says(stage, tasks[0], "two")


def test_what_is_pushed_before_a_kill_is_deployed_after_it(own_stage):
    server = own_stage.account.server
    repository = own_stage.account.repository()
    service = serve(own_stage, own_stage.account.push(picture("one"), repository))
    own_stage.account.push(picture("two"), repository)
    server.kill()
    server.start()
    stage = Stage(Account(server), own_stage.image)
    stage.cluster, stage.name, stage.group = own_stage.cluster, own_stage.name, own_stage.group
    tasks = deployed(stage, service, 2)
    says(stage, tasks[0], "two")
    server.kill()
    server.start()
    stage.wait_stable(service, 1)
    assert revision(stage, service) == 2, "and not again"
