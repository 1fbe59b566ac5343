"""Access keys with policies: what each may do, with docker and through the API."""

import json
import os
import stat

import pytest
from botocore.exceptions import ClientError
from support import image
from support.aws import Account, refused, unique

from test_registry import AWS, docker, run  # noqa: F401  (docker is a fixture)

PULL = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
PUSH = ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage",
        "ecr:BatchCheckLayerAvailability"]


def policy(actions, resource="*", effect="Allow", **more):
    return {"Version": "2012-10-17",
            "Statement": [{"Effect": effect, "Action": actions, "Resource": resource, **more}]}


class Keyed(Account):
    """An account whose clients sign with a key of `longshore key create`."""

    def __init__(self, server, name, document, folder):
        self.name = name
        words = []
        if document is not None:
            words = ["--policy", document if isinstance(document, str) else self.write(folder, document)]
        made = json.loads(server.run("key", "create", name, "--format", "json", *words).stdout)
        self.server, self.environment, self.region = server, made, made["AWS_REGION"]
        self.ecs, self.ecr, self.logs, self.sts = map(self.client, ("ecs", "ecr", "logs", "sts"))

    def write(self, folder, document):
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(document))
        return str(path)

    def arn(self):
        return f"arn:aws:iam::000000000000:user/{self.name}"


@pytest.fixture
def key(account, tmp_path):
    made = []

    def make(word, document=None):
        made.append(Keyed(account.server, unique(word), document, tmp_path))
        return made[-1]
    yield make
    for one in made:
        account.server.run("key", "delete", one.name, check=False)


def repository_arn(account, name):
    return f"arn:aws:ecr:{account.region}:000000000000:repository/{name}"


def denied(call, user, action, resource, why=None):
    why = why or f"because no identity-based policy allows the {action} action"
    words = f"User: {user.arn()} is not authorized to perform: {action} on resource: {resource} {why}"
    with pytest.raises(ClientError) as raised:
        call()
    error = raised.value.response
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == ("AccessDeniedException", 400)
    assert error["Error"]["Message"] == words


@pytest.mark.long
def test_one_key_pushes_and_another_only_pulls(account, key, docker, tmp_path):  # noqa: F811
    name = account.repository(unique("team/app"))
    arn = repository_arn(account, name)
    pusher, puller = key("push", policy(PUSH, arn)), key("pull", "AmazonEC2ContainerRegistryPullOnly")
    image.write_layout(tmp_path / "in", [image.busybox(extra=[("by", name.encode(), 0o644)])], "v1")
    run("skopeo", "--insecure-policy", "copy", f"oci:{tmp_path}/in:v1", f"docker-archive:{tmp_path}/in.tar:mine:v1")
    docker("load", "-i", tmp_path / "in.tar")
    where = f"{account.server.host}/{name}"
    docker("tag", "mine:v1", f"{where}:v1")

    def log_in(who):
        password = run(AWS, "ecr", "get-login-password", env={"PATH": os.environ["PATH"], **who.environment}).stdout
        docker("login", "-u", "AWS", "--password-stdin", account.server.host, input=password)
    log_in(puller)
    told = docker("push", f"{where}:v1", check=False)
    assert told.returncode != 0
    assert f"User: {puller.arn()} is not authorized to perform: ecr:" in told.stderr, told.stderr
    log_in(pusher)
    docker("push", f"{where}:v1")
    docker("rmi", f"{where}:v1", "mine:v1")
    told = docker("pull", f"{where}:v1", check=False)
    assert told.returncode != 0 and "not authorized to perform: ecr:BatchGetImage" in told.stderr, told.stderr
    log_in(puller)
    docker("pull", f"{where}:v1")

    # The same through the API.
    found = puller.ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])["images"][0]
    denied(lambda: pusher.ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v1"}]),
           pusher, "ecr:BatchGetImage", arn)
    denied(lambda: puller.ecr.put_image(repositoryName=name, imageManifest=found["imageManifest"], imageTag="v2"),
           puller, "ecr:PutImage", arn)
    pusher.ecr.put_image(repositoryName=name, imageManifest=found["imageManifest"], imageTag="v2")
    other = account.repository()
    denied(lambda: pusher.ecr.initiate_layer_upload(repositoryName=other), pusher, "ecr:InitiateLayerUpload",
           repository_arn(account, other))


def test_a_key_without_a_policy_may_do_nothing(account, key):
    nobody = key("nobody")
    who = nobody.sts.get_caller_identity()
    assert (who["Arn"], who["Account"]) == (nobody.arn(), "000000000000")
    assert nobody.password()
    table = json.loads(account.server.run("api", "--json").stdout)
    clients = {name: nobody.client(name, inject_host_prefix=False) for name in ("ecs", "ecr", "logs", "events")}
    free = ("GetCallerIdentity", "GetAuthorizationToken")
    told = {}
    for row in table:
        if not row["implemented"] or row["operation"] in free:
            continue
        client = clients[row["service"]]
        method = next(m for m, o in client.meta.method_to_api_mapping.items() if o == row["operation"])
        shape = client.meta.service_model.operation_model(row["operation"]).input_shape
        with pytest.raises(ClientError) as raised:
            getattr(client, method)(**smallest(shape))
        error = raised.value.response["Error"]
        name = f"{row['service']}:{row['operation']}"
        if error["Code"] != "AccessDeniedException" or f"{name} on resource: " not in error["Message"]:
            told[name] = error
    assert told == {}
    assert len(table) > 100


def smallest(shape):
    """The least input that a model takes."""
    def of(shape):
        if shape.type_name == "structure":
            return {name: of(shape.members[name]) for name in shape.required_members}
        if shape.type_name == "list":
            return [of(shape.member)]
        if shape.type_name == "map":
            return {of(shape.key): of(shape.value)}
        if shape.type_name == "string":
            return shape.enum[0] if getattr(shape, "enum", None) else text(shape)
        return {"integer": 1, "long": 1, "double": 1.0, "float": 1.0, "boolean": True, "blob": b"x",
                "timestamp": 1}[shape.type_name]

    def text(shape):
        least = shape.metadata.get("min", 1) or 1
        pattern = shape.metadata.get("pattern", "")
        known = {":[a-fA-F0-9]+": "sha256:" + "0" * 64, "{8}-": "12345678-1234-1234-1234-123456789012",
                 ":iam::": "arn:aws:iam::000000000000:user/x",
                 ":signer:": "arn:aws:signer:us-east-1:000000000000:/signing-profiles/app"}
        if pattern == "[0-9]{12}":
            return "0" * 12
        return next((value for front, value in known.items() if front in pattern), "x" * least)
    return of(shape) if shape else {}


def test_policies_of_ecs_and_logs(account, key, stage):
    definition = stage.register(stage.container("true"))
    cluster = f"arn:aws:ecs:{account.region}:000000000000:cluster/{stage.cluster}"
    runner = key("run", {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ecs:RunTask", "Resource": definition.rsplit(":", 1)[0] + ":*",
         "Condition": {"ArnEquals": {"ecs:cluster": cluster}}},
        {"Effect": "Allow", "Action": ["ecs:DescribeTasks", "ecs:StopTask"],
         "Resource": cluster.replace(":cluster/", ":task/") + "/*"},
        {"Effect": "Allow", "Action": "logs:*",
         "Resource": f"arn:aws:logs:*:*:log-group:{stage.group}:*"}]})
    stage.ecs, everything = runner.ecs, stage.ecs
    task = stage.wait(stage.run(definition))
    assert task["lastStatus"] == "STOPPED"
    stage.ecs = everything
    with pytest.raises(ClientError) as raised:
        runner.ecs.run_task(cluster="default", taskDefinition=definition)
    assert "ecs:RunTask on resource: " + definition in raised.value.response["Error"]["Message"]
    denied(lambda: runner.ecs.list_tasks(cluster=stage.cluster), runner, "ecs:ListTasks", "*")
    denied(lambda: runner.ecs.describe_services(cluster=stage.cluster, services=["web"]), runner,
           "ecs:DescribeServices", cluster.replace(":cluster/", ":service/") + "/web")
    runner.logs.create_log_group(logGroupName=stage.group)
    with pytest.raises(ClientError) as raised:
        runner.logs.create_log_group(logGroupName=stage.group + "2")
    assert f"log-group:{stage.group}2:log-stream: because" in raised.value.response["Error"]["Message"]


def test_an_explicit_deny_and_a_policy_that_changes(account, key, tmp_path):
    name = account.repository()
    arn = repository_arn(account, name)
    user = key("user", "AmazonEC2ContainerRegistryFullAccess")
    pusher = image.Pusher(account.server.host, user.password())
    pusher.push(image.busybox(), name, "v1")
    deny = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ecr:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ecr:BatchGet*", "Resource": arn}]}
    account.server.run("key", "policy", user.name, "--policy", user.write(tmp_path, deny))
    denied(lambda: user.ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v1"}]), user,
           "ecr:BatchGetImage", arn, "with an explicit deny in an identity-based policy")
    # The password was given before.
    status, _, told = pusher.call("GET", f"/v2/{name}/manifests/v1")
    assert status == 403 and json.loads(told)["errors"][0]["code"] == "DENIED"
    assert json.loads(account.server.run("key", "policy", user.name).stdout) == deny
    user.ecr.list_images(repositoryName=name)
    account.server.run("key", "policy", user.name, "--none")
    denied(lambda: user.ecr.list_images(repositoryName=name), user, "ecr:ListImages", arn)


def test_the_policy_of_a_repository(account, key):
    guest = key("guest")
    name = account.repository()
    account.push(image.busybox(), name, "v1")
    text = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Sid": "new statement", "Effect": "Allow", "Principal": {"AWS": guest.arn()}, "Action": PULL}]})
    account.ecr.set_repository_policy(repositoryName=name, policyText=text)
    assert account.ecr.get_repository_policy(repositoryName=name)["policyText"] == text
    guest.ecr.batch_get_image(repositoryName=name, imageIds=[{"imageTag": "v1"}])
    assert image.Pusher(account.server.host, guest.password()).call("GET", f"/v2/{name}/manifests/v1")[0] == 200

    lock = json.dumps({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "ecr:*"}})
    refused(lambda: account.ecr.set_repository_policy(repositoryName=name, policyText=lock),
            "InvalidParameterException", "Invalid repository policy provided")
    account.ecr.set_repository_policy(repositoryName=name, policyText=lock, force=True)
    refused(lambda: account.ecr.list_images(repositoryName=name), "AccessDeniedException",
            "with an explicit deny in a resource-based policy")
    # The way out that the root user always has.
    account.ecr.delete_repository_policy(repositoryName=name)
    account.ecr.list_images(repositoryName=name)
    refused(lambda: account.ecr.get_repository_policy(repositoryName=name), "RepositoryPolicyNotFoundException")


def test_a_task_s_image_is_pulled_whatever_its_repository_denies(account, stage):
    name = account.repository()
    stage.image = account.push(image.busybox(extra=[("mark", b"mine", 0o644)]), name)
    lock = json.dumps({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage"}})
    account.ecr.set_repository_policy(repositoryName=name, policyText=lock)
    assert stage.output("cat /mark") == ["mine"]


def test_a_push_makes_a_repository_for_who_may(account, key, tmp_path):
    prefix = unique("auto")
    account.ecr.create_repository_creation_template(
        prefix=prefix, appliedFor=["CREATE_ON_PUSH"], imageTagMutability="IMMUTABLE")
    image.write_layout(tmp_path / "in", [image.busybox()], "v1")
    may, may_not = key("may", policy([*PUSH, "ecr:CreateRepository"])), key("may-not", policy(PUSH))

    def copy(who, name):
        return run("skopeo", "--insecure-policy", "copy", "--dest-tls-verify=false",
                   "--dest-creds", f"AWS:{who.password()}", f"oci:{tmp_path}/in:v1",
                   f"docker://{account.server.host}/{name}:v1", check=False)
    told = copy(may_not, f"{prefix}/app")
    assert told.returncode != 0 and "ecr:CreateRepository" in told.stderr, told.stderr
    assert copy(may, f"{prefix}/app").returncode == 0
    found, = account.ecr.describe_repositories(repositoryNames=[f"{prefix}/app"])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert copy(may_not, f"{prefix}/app").returncode == 0, "now it is there"
    account.ecr.delete_repository_creation_template(prefix=prefix)
    assert copy(may, f"{prefix}/other").returncode != 0


def test_a_deleted_key_is_nobody_s(account, key):
    name = account.repository()
    user = key("gone", "AdministratorAccess")
    pusher = image.Pusher(account.server.host, user.password())
    pusher.push(image.busybox(), name, "v1")
    account.server.run("key", "delete", user.name)
    refused(user.sts.get_caller_identity, "InvalidClientTokenId")
    refused(lambda: user.ecr.list_images(repositoryName=name), "UnrecognizedClientException")
    assert pusher.call("GET", f"/v2/{name}/manifests/v1")[0] == 401
    # Its name is free again, and opens nothing of the old one's.
    again = json.loads(account.server.run("key", "create", user.name, "--format", "json").stdout)
    assert again["AWS_ACCESS_KEY_ID"] != user.environment["AWS_ACCESS_KEY_ID"]
    assert pusher.call("GET", f"/v2/{name}/manifests/v1")[0] == 401


def test_the_commands(account, key, tmp_path):
    user = key("me", policy("ecr:*"))
    run_ = account.server.run
    listed = {row["name"]: row for row in json.loads(run_("key", "list", "--json").stdout)}[user.name]
    assert listed["arn"] == user.arn() and "secretAccessKey" not in listed
    assert user.name in run_("key", "list").stdout
    environment = json.loads(run_("env", "--key", user.name, "--format", "json").stdout)
    assert environment["AWS_SECRET_ACCESS_KEY"] == user.environment["AWS_SECRET_ACCESS_KEY"]
    secret = account.server.data_dir / "keys.json"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    (tmp_path / "bad.json").write_text('{"Statement": {"Effect": "Allow", "Action": "PutImage", "Resource": "*"}}')
    for words, told in [
        (("create", user.name), "already"), (("create", "a/b"), "no name"), (("delete", "nobody"), "no key"),
        (("policy", "nobody", "--none"), "no key"), (("policy", user.name, "--policy", "nothing"), "nothing"),
        (("create", "other", "--policy", str(tmp_path / "bad.json")), "no action"),
    ]:
        done = run_("key", *words, check=False)
        assert done.returncode == 1 and told in done.stderr, done.stderr
    # Who isn't root makes no keys, whatever their policy says.
    admin = key("admin", "AdministratorAccess")
    away = {**os.environ, **admin.environment}
    done = run(account.server.command()[0], "key", "list", env=away, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "security token" in done.stderr, done.stderr


def test_keys_survive_a_kill(own_server, tmp_path):
    own_server.start()
    user = Keyed(own_server, "ci", policy("ecr:DescribeRepositories"), tmp_path)
    own_server.kill()
    own_server.start()
    user.ecr.describe_repositories()
    denied(lambda: user.ecr.create_repository(repositoryName="app"), user, "ecr:CreateRepository",
           f"arn:aws:ecr:{user.region}:000000000000:repository/app")
