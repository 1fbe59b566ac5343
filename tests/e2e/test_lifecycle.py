"""Lifecycle policies: images expire, and those in use don't."""

import json
import subprocess

from support import image
from support.aws import Account, refused
from support.server import ROOT
from support.waiting import wait_until

AWS = ROOT / "target/venv/bin/aws"


def picture(word):
    return image.busybox(extra=[("word", f"{word}\n".encode(), 0o644)])


def newest(count):
    return json.dumps({"rules": [{"rulePriority": 1, "action": {"type": "expire"}, "selection": {
        "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count}}]})


def apply(account, repository, count):
    account.ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=newest(count))
    wait_until(lambda: "lastEvaluatedAt" in account.ecr.get_lifecycle_policy(repositoryName=repository),
               f"the policy of {repository} to be applied")


def tags(account, repository):
    images = account.ecr.list_images(repositoryName=repository)["imageIds"]
    return sorted(found.get("imageTag", "untagged") for found in images)


def would_go(account, repository, count):
    """What a preview says."""
    account.ecr.start_lifecycle_policy_preview(repositoryName=repository, lifecyclePolicyText=newest(count))
    account.ecr.get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=repository)
    answer = account.ecr.get_lifecycle_policy_preview(repositoryName=repository)
    found = [tag for result in answer["previewResults"] for tag in result["imageTags"]]
    assert answer["summary"]["expiringImageTotalCount"] == len(found)
    assert all(result["appliedRulePriority"] == 1 for result in answer["previewResults"])
    return found


def push_versions(account, repository, last):
    return [account.push(picture(f"v{n}"), repository, tag=f"v{n}") for n in range(1, last + 1)]


def test_images_expire_by_the_aws_cli(account):
    repository = account.repository()
    push_versions(account, repository, 3)

    def aws(*words):
        done = subprocess.run([AWS, "ecr", *words, "--repository-name", repository], capture_output=True, text=True,
                              env=account.environment, check=True, timeout=60)
        return json.loads(done.stdout)

    aws("start-lifecycle-policy-preview", "--lifecycle-policy-text", newest(1))
    subprocess.run([AWS, "ecr", "wait", "lifecycle-policy-preview-complete", "--repository-name", repository],
                   env=account.environment, check=True, timeout=60)
    seen = aws("get-lifecycle-policy-preview")
    assert [result["imageTags"] for result in seen["previewResults"]] == [["v1"], ["v2"]]
    assert tags(account, repository) == ["v1", "v2", "v3"], "a preview deletes nothing"
    aws("put-lifecycle-policy", "--lifecycle-policy-text", newest(1))
    wait_until(lambda: tags(account, repository) == ["v3"], "the older images to expire")
    assert json.loads(aws("get-lifecycle-policy")["lifecyclePolicyText"]) == json.loads(newest(1))
    assert aws("delete-lifecycle-policy")["lastEvaluatedAt"]
    account.push(picture("v4"), repository, tag="v4")
    assert tags(account, repository) == ["v3", "v4"]
    refused(lambda: account.ecr.get_lifecycle_policy(repositoryName=repository), "LifecyclePolicyNotFoundException")


def test_what_nobody_needs_is_archived(account):
    repository = account.repository()
    push_versions(account, repository, 3)
    rules = {"rules": [
        {"rulePriority": 1, "action": {"type": "transition", "targetStorageClass": "archive"}, "selection": {
            "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}},
        {"rulePriority": 2, "action": {"type": "expire"}, "selection": {
            "tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days",
            "countNumber": 90}}]}
    account.ecr.start_lifecycle_policy_preview(repositoryName=repository, lifecyclePolicyText=json.dumps(rules))
    account.ecr.get_waiter("lifecycle_policy_preview_complete").wait(repositoryName=repository)
    answer = account.ecr.get_lifecycle_policy_preview(repositoryName=repository)
    assert [result["action"] for result in answer["previewResults"]] == [
        {"type": "TRANSITION", "targetStorageClass": "ARCHIVE"}] * 2
    assert answer["summary"] == {"expiringImageTotalCount": 0, "transitioningImageTotalCounts": [
        {"targetStorageClass": "ARCHIVE", "imageTotalCount": 2}]}
    account.ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=json.dumps(rules))

    def by_status(status):
        images = account.ecr.list_images(repositoryName=repository, filter={"imageStatus": status})["imageIds"]
        return sorted(image["imageTag"] for image in images)
    wait_until(lambda: by_status("ARCHIVED") == ["v1", "v2"], "the older images to be archived")
    assert by_status("ACTIVE") == ["v3"]
    missing = account.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])["failures"]
    assert [failure["failureCode"] for failure in missing] == ["ImageInaccessible"]


def test_what_a_service_would_start_does_not_expire(stage):
    account = stage.account
    repository = account.repository()
    first, second, *_ = push_versions(account, repository, 4)
    script = "trap 'exit 0' TERM; sleep 600 & wait"
    running = stage.create_service(stage.register(stage.container(script, image=first)))
    # By its digest, and with no task at all.
    digest = picture("v2").digest
    idle = stage.register(stage.container(script, image=f"{second}@{digest}"), family=f"{stage.name}-idle")
    idle = stage.create_service(idle, count=0)
    stage.wait_stable(running, 1)
    assert would_go(account, repository, 1) == ["v3"]
    apply(account, repository, 1)
    assert tags(account, repository) == ["v1", "v2", "v4"]

    # What it starts next is there to be pulled.
    stage.ecs.update_service(cluster=stage.cluster, service=running, desiredCount=2)
    stage.wait_stable(running, 2)
    for service in (running, idle):
        stage.ecs.delete_service(cluster=stage.cluster, service=service, force=True)
    wait_until(lambda: not stage.tasks_of(running) and not stage.ecs.list_tasks(cluster=stage.cluster)["taskArns"],
               "the tasks to end")
    wait_until(lambda: would_go(account, repository, 1) == ["v1", "v2"], "their images to be in use no more")
    apply(account, repository, 1)
    assert tags(account, repository) == ["v4"]


def test_what_a_task_runs_does_not_expire_though_its_tag_moved(stage):
    account = stage.account
    repository = account.repository()
    name = account.push(picture("old"), repository)
    task = stage.run(stage.register(stage.container("exec sleep 600", image=name)))
    stage.wait_running(task)
    old = picture("old").digest
    assert stage.task(task)["containers"][0]["imageDigest"] == old
    account.push(picture("new"), repository)
    assert tags(account, repository) == ["latest", "untagged"]
    apply(account, repository, 1)
    assert tags(account, repository) == ["latest", "untagged"]
    stage.ecs.stop_task(cluster=stage.cluster, task=task)
    stage.wait(task)
    apply(account, repository, 1)
    assert tags(account, repository) == ["latest"]


def test_an_index_in_use_stays_whole(stage):
    account = stage.account
    repository = account.repository()
    pusher = image.Pusher(account.server.host, account.password())
    members = [picture("here"), image.busybox(extra=[("arm", b"x", 0o644)], architecture="arm64")]
    for member in members:
        pusher.push(member, repository, member.digest)
    index = pusher.manifest(repository, "v1", image.index(members), image.INDEX)
    task = stage.run(stage.register(stage.container(
        "exec sleep 600", image=f"{account.server.host}/{repository}:v1")))
    stage.wait_running(task)
    account.push(picture("other"), repository, tag="v2")
    apply(account, repository, 1)
    left = {found["imageDigest"] for found in account.ecr.list_images(repositoryName=repository)["imageIds"]}
    assert left == {index, picture("other").digest, *(member.digest for member in members)}
    stage.ecs.stop_task(cluster=stage.cluster, task=task)
    stage.wait(task)
    apply(account, repository, 1)
    assert tags(account, repository) == ["v2"]


def test_policies_outlive_a_kill_and_are_applied_again_and_again(own_server):
    own_server.start("--expire-every", "1s")
    account = Account(own_server)
    repository = account.repository()
    push_versions(account, repository, 2)
    apply(account, repository, 1)
    assert tags(account, repository) == ["v2"]
    own_server.kill()
    own_server.start("--expire-every", "1s")
    account = Account(own_server)
    assert account.ecr.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"] == newest(1)
    account.push(picture("v3"), repository, tag="v3")
    wait_until(lambda: tags(account, repository) == ["v3"], "the next image to displace the last")
