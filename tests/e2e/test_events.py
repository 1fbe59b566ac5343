"""Rules bring what happens to targets: at least once, in order, and over a kill."""

import json
import time

import pytest
from support import image
from support.aws import NETWORK, Account, Stage, refused, unique
from support.listener import Listener
from support.waiting import wait_until


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


class Rules:
    """Rules of one test, which are gone after it."""

    def __init__(self, account):
        self.account = account
        self.events = account.client("events")
        self.names = []

    def put(self, *targets, **fields):
        name = unique("rule")
        pattern = fields.pop("EventPattern", None)
        if pattern is not None:
            fields["EventPattern"] = json.dumps(pattern)
        self.events.put_rule(Name=name, **fields)
        self.names.append(name)
        if targets:
            answer = self.events.put_targets(Rule=name, Targets=list(targets))
            assert answer["FailedEntryCount"] == 0
        return name

    def clear(self):
        for name in self.names:
            targets = self.events.list_targets_by_rule(Rule=name)["Targets"]
            if targets:
                self.events.remove_targets(Rule=name, Ids=[target["Id"] for target in targets])
            self.events.delete_rule(Name=name)


@pytest.fixture
def rules(account):
    rules = Rules(account)
    yield rules
    rules.clear()


def of_cluster(stage, **detail):
    arn = stage.ecs.describe_clusters(clusters=[stage.cluster])["clusters"][0]["clusterArn"]
    return {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": {"clusterArn": [arn], **detail}}


def in_order(events):
    """What came for each task, each change once, in the order of its versions."""
    told = {}
    for event in events:
        versions = told.setdefault(event["resources"][0], [])
        if event["detail"]["version"] not in versions:
            versions.append(event["detail"]["version"])
    return all(versions == sorted(versions) for versions in told.values())


def logged(stage, stream):
    """The stream's lines, once it is there: it is made before its first line."""
    if stage.logs.describe_log_streams(logGroupName=stage.group, logStreamNamePrefix=stream)["logStreams"]:
        return stage.logs.get_log_events(logGroupName=stage.group, logStreamName=stream)["events"]


def test_a_stopped_task_is_told_to_an_address_and_a_log_group(stage, rules, listener):
    stage.logs.create_log_group(logGroupName=stage.group)
    group = f"arn:aws:logs:{stage.account.region}:{stage.account.account_id()}:log-group:{stage.group}"
    rules.put({"Id": "all", "Arn": f"{listener.url}/all", "HttpParameters": {"HeaderParameters": {"X-Key": "k"}}},
              EventPattern=of_cluster(stage))
    name = rules.put({"Id": "http", "Arn": f"{listener.url}/stopped"}, {"Id": "log", "Arn": group}, {
        "Id": "said", "Arn": f"{listener.url}/said", "InputTransformer": {
            "InputPathsMap": {"task": "$.detail.taskArn", "code": "$.detail.containers[0].exitCode"},
            "InputTemplate": '{"said": "<task> ended with <code>", "code": <code>}'}},
        EventPattern=of_cluster(stage, lastStatus=["STOPPED"]))
    task = stage.finish("exit 3")
    arn = task["taskArn"]
    event = listener.wait(lambda event: event["resources"] == [arn], "the event of the stopped task", "/stopped")
    assert event["detail"]["lastStatus"] == "STOPPED" and event["detail"]["stopCode"] == task["stopCode"]
    assert event["detail"]["containers"][0]["exitCode"] == 3
    assert event["detail"]["version"] == task["version"]
    listener.wait(lambda said: said == {"said": f"{arn} ended with 3", "code": 3}, "what the template says", "/said")

    stream = f"{name}/log"
    lines = wait_until(lambda: logged(stage, stream), "the line of the log group")
    assert [json.loads(line["message"])["id"] for line in lines] == [event["id"]]

    listener.wait(lambda event: event["detail"]["lastStatus"] == "STOPPED", "all of them", "/all")
    seen = [event["detail"]["lastStatus"] for event in listener.events("/all")]
    assert len(seen) > 1 and in_order(listener.events("/all"))
    assert listener.posts[0][1]["x-key"] == "k"


def test_a_kill_loses_no_event_and_keeps_their_order(own_stage, listener):
    server, account = own_stage.account.server, own_stage.account
    rules = Rules(account)
    rules.put({"Id": "t", "Arn": listener.url + "/"}, EventPattern=of_cluster(own_stage))
    # Nothing gets through before the kill.
    listener.status = 503
    tasks = [own_stage.run_script("trap 'exit 0' TERM; sleep 600 & wait") for _ in range(3)]
    for task in tasks:
        own_stage.wait_running(task)
        own_stage.ecs.stop_task(cluster=own_stage.cluster, task=task)
        own_stage.wait(task)
    server.kill()
    server.start()
    listener.status = 200
    for task in tasks:
        listener.wait(lambda event: event["resources"] == [task] and event["detail"]["lastStatus"] == "STOPPED",
                      f"the last event of {task}")
        statuses = [event["detail"]["lastStatus"] for event in listener.events() if event["resources"] == [task]]
        assert "RUNNING" in statuses and statuses[0] == "PROVISIONING", statuses
    assert in_order(listener.events())


def test_one_target_does_not_hold_up_another(stage, rules, listener):
    slow = Listener()
    try:
        slow.open.clear()
        rules.put({"Id": "slow", "Arn": slow.url + "/"}, {"Id": "quick", "Arn": listener.url + "/"},
                  EventPattern={"source": [stage.name]})
        for number in range(30):
            rules.events.put_events(Entries=[{"Source": stage.name, "DetailType": "t", "Detail": json.dumps({"n": number})}])
        wait_until(lambda: len(listener.events()) >= 30, "all events at the quick target")
        assert slow.events() == []
        slow.open.set()
        wait_until(lambda: {event["detail"]["n"] for event in slow.events()} == set(range(30)), "the slow one's too")
    finally:
        slow.close()


def test_what_a_target_refuses_goes_to_its_dead_letters(stage, rules, listener):
    listener.status = 400
    stage.logs.create_log_group(logGroupName=stage.group)
    group = f"arn:aws:logs:{stage.account.region}:{stage.account.account_id()}:log-group:{stage.group}"
    rule = rules.put({"Id": "t", "Arn": listener.url + "/", "DeadLetterConfig": {"Arn": group}},
                     EventPattern={"source": [stage.name]})
    rules.events.put_events(Entries=[{"Source": stage.name, "DetailType": "t", "Detail": "{}"}])

    def letters():
        streams = stage.logs.describe_log_streams(logGroupName=stage.group)["logStreams"]
        return streams and stage.logs.filter_log_events(logGroupName=stage.group)["events"]
    wait_until(letters, "the dead letter")
    letter = json.loads(letters()[0]["message"])
    assert letter["event"]["source"] == stage.name
    assert letter["attributes"]["RULE_ARN"].endswith(f":rule/{rule}")
    assert "400" in letter["attributes"]["ERROR_MESSAGE"]


def test_a_pushed_and_a_deleted_image_are_told(stage, rules, listener):
    account = stage.account
    repository = account.repository()
    rules.put({"Id": "t", "Arn": listener.url + "/"}, EventPattern={
        "source": ["aws.ecr"], "detail-type": ["ECR Image Action"], "detail": {"repository-name": [repository]}})
    picture = image.busybox()
    account.push(picture, repository, "v1")
    pushed = listener.wait(lambda event: event["detail"]["action-type"] == "PUSH", "the push")
    assert pushed["detail"] == {"result": "SUCCESS", "repository-name": repository, "image-digest": picture.digest,
                                "action-type": "PUSH", "image-tag": "v1"}
    account.ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "v1"}])
    deleted = listener.wait(lambda event: event["detail"]["action-type"] == "DELETE", "the deletion")
    assert deleted["detail"]["image-digest"] == picture.digest
    assert [event["detail"]["action-type"] for event in listener.events()] == ["PUSH", "DELETE"]


def test_a_service_tells_of_its_deployment_and_its_steady_state(stage, rules, listener):
    rules.put({"Id": "t", "Arn": listener.url + "/"}, EventPattern={
        "source": ["aws.ecs"], "resources": [{"wildcard": f"*:service/{stage.cluster}/*"}]})
    service = stage.create_service(stage.register(stage.container("trap 'exit 0' TERM; sleep 600 & wait")))
    stage.wait_stable(service, 1)
    listener.wait(lambda event: event["detail"]["eventName"] == "SERVICE_STEADY_STATE", "the steady state")
    names = [event["detail"]["eventName"] for event in listener.events()]
    assert names.index("SERVICE_DEPLOYMENT_IN_PROGRESS") < names.index("SERVICE_DEPLOYMENT_COMPLETED")
    done = next(e for e in listener.events() if e["detail"]["eventName"] == "SERVICE_DEPLOYMENT_COMPLETED")
    assert done["detail-type"] == "ECS Deployment State Change"
    assert done["detail"]["reason"] == f"ECS deployment {done['detail']['deploymentId']} completed."


def test_a_task_that_ends_at_once_is_told_as_running_first(stage, rules, listener):
    rules.put({"Id": "t", "Arn": listener.url + "/"}, EventPattern=of_cluster(stage, lastStatus=["RUNNING", "STOPPED"]))
    definition = stage.register(stage.container("exit 3"))
    tasks = stage.run(definition, count=5)
    for task in tasks:
        listener.wait(lambda event: event["resources"] == [task] and event["detail"]["lastStatus"] == "STOPPED", "its end")
        mine = [event["detail"] for event in listener.events() if event["resources"] == [task]]
        assert mine[0]["lastStatus"] == "RUNNING" and mine[0]["containers"][0]["lastStatus"] == "RUNNING", mine[0]


def test_a_pause_of_a_deployment_is_told_and_can_be_answered(stage, rules, listener):
    rules.put({"Id": "t", "Arn": listener.url + "/"}, EventPattern={
        "source": ["aws.ecs"], "detail-type": ["ECS Hook State Change"],
        "detail": {"serviceArn": [{"wildcard": f"*:service/{stage.cluster}/*"}]}})
    pause = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}
    service = stage.create_service(
        stage.register(stage.container("trap 'exit 0' TERM; sleep 600 & wait")),
        deploymentConfiguration={"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0, "lifecycleHooks": [pause]})
    waits = listener.wait(lambda event: event["detail"]["eventName"] == "HOOK_AWAITING_ACTION", "the pause")["detail"]
    assert (waits["hookType"], waits["lifecycleStage"]) == ("PAUSE", "PRE_SCALE_UP")
    stage.ecs.continue_service_deployment(serviceDeploymentArn=waits["serviceDeploymentArn"], hookId=waits["hookId"])
    done = listener.wait(lambda event: event["detail"]["eventName"] == "HOOK_SUCCEEDED", "the pause to be over")
    assert done["detail"]["hookId"] == waits["hookId"]
    stage.wait_stable(service, 1)


@pytest.mark.long
def test_a_schedule_runs_tasks_and_makes_up_for_what_a_kill_missed(own_stage):
    server, account = own_stage.account.server, own_stage.account
    cluster = own_stage.ecs.describe_clusters(clusters=[own_stage.cluster])["clusters"][0]["clusterArn"]
    network = {key[0].upper() + key[1:]: value for key, value in NETWORK["awsvpcConfiguration"].items()}
    definition = own_stage.register(own_stage.container("echo default", logged=True))
    rules = Rules(account)
    rule = rules.put({
        "Id": "job", "Arn": cluster,
        "Input": json.dumps({"containerOverrides": [{"name": "app", "command": ["/bin/sh", "-c", "echo scheduled"]}]}),
        "EcsParameters": {"TaskDefinitionArn": definition, "TaskCount": 1, "LaunchType": "FARGATE",
                          "NetworkConfiguration": {"awsvpcConfiguration": network},
                          "Tags": [{"Key": "by", "Value": "schedule"}]},
    }, ScheduleExpression="cron(* * * * ? *)")
    # The minute comes while nobody is there.
    server.kill()
    missed = int(time.time()) // 60 + 1
    wait_until(lambda: time.time() >= missed * 60 + 1, "the next minute")
    server.start()

    def ran():
        found = []
        for status in ("RUNNING", "STOPPED"):
            found += own_stage.ecs.list_tasks(cluster=own_stage.cluster, startedBy=f"events-rule/{rule}",
                                              desiredStatus=status)["taskArns"]
        return found
    wait_until(ran, "the task that was missed")
    rules.events.disable_rule(Name=rule)
    task = own_stage.wait(ran()[0])
    assert own_stage.lines(task) == ["scheduled"]
    assert task["startedBy"] == f"events-rule/{rule}" and {"key": "by", "value": "schedule"} in task["tags"]


def test_who_may_not_run_tasks_lets_no_rule_do_it(stage, rules, tmp_path):
    name = unique("ruler")
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "events:*", "Resource": "*"}]}))
    server = stage.account.server
    made = json.loads(server.run("key", "create", name, "--policy", str(policy), "--format", "json").stdout)
    ruler = stage.account.client("events", key=made["AWS_ACCESS_KEY_ID"], secret=made["AWS_SECRET_ACCESS_KEY"])
    try:
        rule = rules.put(EventPattern={"source": [stage.name]})
        cluster = stage.ecs.describe_clusters(clusters=[stage.cluster])["clusters"][0]["clusterArn"]
        definition = stage.register(stage.container("true"))
        refused(lambda: ruler.put_targets(Rule=rule, Targets=[
            {"Id": "t", "Arn": cluster, "EcsParameters": {"TaskDefinitionArn": definition}}]),
            "AccessDeniedException", "ecs:RunTask", definition)
        refused(lambda: ruler.put_targets(Rule=rule, Targets=[
            {"Id": "t", "Arn": cluster.split(":cluster")[0].replace(":ecs:", ":logs:") + ":log-group:x"}]),
            "AccessDeniedException", "logs:PutLogEvents")
        assert ruler.put_targets(Rule=rule, Targets=[{"Id": "t", "Arn": "http://localhost:1/"}])["FailedEntryCount"] == 0
    finally:
        server.run("key", "delete", name)


# Of the user guide's page on comparison operators: pattern of `detail`, a detail that matches, one that doesn't.
PATTERNS = [
    ({"state": [{"anything-but": "initializing"}]}, {"state": "running"}, {"state": "initializing"}),
    ({"path": [{"wildcard": "dir/*.png"}]}, {"path": "dir/a/b.png"}, {"path": "dir/b.jpg"}),
    ({"price": [{"numeric": [">", 10, "<=", 20]}]}, {"price": 20}, {"price": 10}),
    ({"ip": [{"cidr": "10.0.0.0/24"}]}, {"ip": "10.0.0.7"}, {"ip": "10.0.1.7"}),
    ({"name": [{"exists": False}]}, {"other": 1}, {"name": None}),
    ({"name": [{"equals-ignore-case": "alice"}]}, {"name": "Alice"}, {"name": "Bob"}),
    ({"name": [{"prefix": "A"}, {"suffix": "z"}]}, {"name": "Az"}, {"name": "Zb"}),
    ({"$or": [{"a": [1]}, {"b": [{"numeric": ["<", 0]}]}]}, {"a": 2, "b": -1}, {"a": 2, "b": 1}),
    ({"list": {"a": [1], "b": [2]}}, {"list": [{"a": 1, "b": 2}]}, {"list": [{"a": 1}, {"b": 2}]}),
]


@pytest.mark.parametrize("pattern, good, bad", PATTERNS)
def test_patterns(rules, pattern, good, bad):
    envelope = {"id": "1", "account": "000000000000", "source": "s", "time": "2026-01-01T00:00:00Z",
                "region": "us-east-1", "resources": [], "detail-type": "t"}
    for detail, expected in ((good, True), (bad, False)):
        answer = rules.events.test_event_pattern(EventPattern=json.dumps({"source": ["s"], "detail": pattern}),
                                                 Event=json.dumps({**envelope, "detail": detail}))
        assert answer["Result"] is expected, detail


def test_a_bad_pattern_says_why(rules):
    refused(lambda: rules.put(EventPattern={"detail": {"a": [{"numeric": ["~", 1]}]}}), "InvalidEventPatternException",
            "Event pattern is not valid. Reason: ", "detail.a")
    refused(lambda: rules.put(ScheduleExpression="rate(5 minute)"), "ValidationException",
            "Parameter ScheduleExpression is not valid.")
