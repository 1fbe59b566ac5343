"""Data volumes: what containers share, what an image brings along, how long it is kept, and where links lead."""

import pathlib
import tempfile

import pytest
from support import image
from support.aws import NETWORK, refused, unique
from support.host import pid_of
from support.machine import Machine
from support.waiting import wait_until

# Until the test says so.
HOLD = "until test -e /tmp/go; do sleep 0.1; done"


def mount(volume, path, read_only=None):
    given = {"sourceVolume": volume, "containerPath": path}
    return given if read_only is None else {**given, "readOnly": read_only}


def volumes_of(place, arn=None):
    """The directory of all tasks' own volumes, or of one task's."""
    tasks = place.data_dir / "agent" / "volumes" / "tasks"
    return tasks / arn.rsplit("/", 1)[1] if arn else tasks


def inside(task, path, name="app"):
    """A container's file as the host reaches it."""
    runtime = next(c["runtimeId"] for c in task["containers"] if c["name"] == name)
    return pathlib.Path(f"/proc/{pid_of(runtime)}/root{path}")


def options(mounted):
    return set(mounted.split()[3].split(","))


def test_shared_by_a_task_s_containers_and_gone_with_it(server, stage):
    write = stage.container("stat -c '%a %u:%g' /v; echo hello > /v/file", name="write", logged=True, essential=False,
                            mountPoints=[mount("v", "/v"), mount("w", "/v/inner")])
    read = stage.container("cat /deep/er/file; touch /deep/er/x 2>/dev/null || echo refused;"
                           f"grep ' /deep/er ' /proc/mounts; {HOLD}", logged=True,
                           mountPoints=[mount("v", "/deep/er", True), mount("w", "/w", False)],
                           dependsOn=[{"containerName": "write", "condition": "COMPLETE"}])
    definition = stage.register(write, read, volumes=[{"name": "v", "host": {}}, {"name": "w"}],
                                ephemeralStorage={"sizeInGiB": 33})
    task = stage.wait_running(stage.run(definition))
    assert task["ephemeralStorage"] == {"sizeInGiB": 33} and task["fargateEphemeralStorage"]["sizeInGiB"] == 33
    assert volumes_of(server, task["taskArn"]).is_dir()
    inside(task, "/tmp/go").touch()
    task = stage.wait(task["taskArn"])
    assert stage.lines(task, "write") == ["755 0:0"]
    lines = stage.lines(task)
    assert lines[:2] == ["hello", "refused"], lines
    assert {"ro", "nosuid", "nodev"} <= options(lines[-1])
    assert not volumes_of(server, task["taskArn"]).exists()


def test_an_image_s_volumes(stage):
    """Content is copied where the image has a VOLUME, and only there; one that nothing is mounted on is a volume
    of the container's own, which others can take over by volumesFrom."""
    stage.image = stage.account.push(image.busybox(
        extra=[("data/sub/file", b"from the image\n", 0o640), ("plain/file", b"hidden\n", 0o644),
               ("cache/file", b"cached\n", 0o644)],
        folders=[("data", 0o1777), ("data/sub", 0o751)], links=[("data/link", "sub/file")],
        config={"Volumes": {"/data": {}, "/cache": {}}, "WorkingDir": "/cache/work"}))
    first = stage.container("cat /data/link; stat -c %a /data /data/sub/file; ls -A /plain; pwd;"
                            "echo more >> /cache/file; touch /x 2>/dev/null || echo refused", name="first", logged=True,
                            essential=False, readonlyRootFilesystem=True,
                            mountPoints=[mount("v", "/data"), mount("p", "/plain")])
    app = stage.container("cat /cache/file; touch /cache/x 2>/dev/null || echo refused; ls -A /data;"
                          "cat /other/sub/file", logged=True, mountPoints=[mount("v", "/other"), mount("w", "/data")],
                          volumesFrom=[{"sourceContainer": "first", "readOnly": True}],
                          dependsOn=[{"containerName": "first", "condition": "COMPLETE"}])
    task = stage.wait(stage.run(stage.register(app, first, volumes=[{"name": name} for name in "vpw"])))
    lines = stage.lines(task, "first")
    assert lines[:3] == ["from the image", "1777", "640"], lines
    assert lines[3:] == ["/cache/work", "refused"], lines
    lines = stage.lines(task)
    # Its own mount point at /data wins over the one that it took over, and has the image's content too.
    assert lines == ["cached", "more", "refused", "link", "sub", "from the image"], lines


def test_links_lead_nowhere_on_the_host(stage):
    """The image has a link to a directory that is there on the host, and so does a volume's content."""
    with tempfile.TemporaryDirectory() as outside:
        below = outside.lstrip("/")
        stage.image = stage.account.push(image.busybox(
            folders=[(below, 0o755)], links=[("abs", outside), ("up", "../" * 12 + below)]))
        spoil = stage.container(f"ln -s {outside} /v/out; ln -s {'../' * 12}{below} /v/up", name="spoil",
                                essential=False, mountPoints=[mount("v", "/v")])
        first = {"dependsOn": [{"containerName": "spoil", "condition": "COMPLETE"}]}
        look = f"echo x > {outside}/direct; touch $1/file; grep -c {outside} /proc/mounts"
        containers = [
            stage.container(look.replace("$1", path), name=f"c{n}", logged=True, essential=False, **first,
                            mountPoints=[mount("v", "/v"), mount("w", path)])
            for n, path in enumerate(["/abs", "/up", "/v/out", "/v/up", "/abs/new"])]
        app = stage.container("true", dependsOn=[{"containerName": c["name"], "condition": "COMPLETE"}
                                                 for c in containers])
        task = stage.wait(stage.run(stage.register(app, spoil, *containers, volumes=[{"name": "v"}, {"name": "w"}])))
        for n in range(5):
            assert stage.lines(task, f"c{n}")[-1] == "1", "mounted where the link leads in the container"
        assert list(pathlib.Path(outside).iterdir()) == []


def test_the_runtime_s_own_places_are_refused(stage):
    """Asked for outright, or by a link of the image's."""
    stage.image = stage.account.push(image.busybox(links=[("data", "/proc"), ("gone", "/no/such/place")]))
    for path in ["/proc/sys", "/dev", "/", "/data", "/gone/new"]:
        container = stage.container("true", mountPoints=[mount("v", path)])
        task = stage.wait(stage.run(stage.register(container, volumes=[{"name": "v"}])))
        assert task["stopCode"] == "TaskFailedToStart" and path in task["stoppedReason"], task["stoppedReason"]


def test_a_kill_keeps_them_and_loses_none(own_server, own_stage):
    stage = own_stage
    keep = stage.container(f"echo one > /v/file; {HOLD}; cat /v/*", logged=True, mountPoints=[mount("v", "/v")])
    task = stage.wait_running(stage.run(stage.register(keep, volumes=[{"name": "v"}])))
    quick = stage.register(stage.container("echo > /v/f", mountPoints=[mount("v", "/v")]), family=unique("fam"),
                           volumes=[{"name": "v"}])
    arns = stage.run(quick, count=6)
    own_server.kill()
    inside(task, "/v/file2").write_text("two\n")
    own_server.start()
    assert inside(task, "/v/file").read_text() == "one\n"
    for arn in arns:
        assert stage.wait(arn)["containers"][0]["exitCode"] == 0
    assert [path.name for path in volumes_of(own_server).iterdir()] == [task["taskArn"].rsplit("/", 1)[1]]
    # A task that ends while there is no agent.
    own_server.kill()
    inside(task, "/tmp/go").touch()
    own_server.start()
    assert stage.lines(stage.wait(task["taskArn"])) == ["one", "two"]
    assert list(volumes_of(own_server).iterdir()) == []
    # One that `down` ends, after another kill.
    stage.wait_running(stage.run(stage.name))
    own_server.kill()
    own_server.down()
    assert list(volumes_of(own_server).iterdir()) == []


def test_docker_volumes_are_not_fargate_s(stage):
    container = stage.container("true", mountPoints=[mount("v", "/v")])
    for config, word in [({"dockerVolumeConfiguration": {"scope": "task"}}, "dockerVolumeConfiguration"),
                         ({"host": {"sourcePath": "/etc"}}, "sourcePath")]:
        refused(lambda: stage.register(container, volumes=[{"name": "v", **config}]), "ClientException",
                f"Fargate compatible task definitions do not support {word}")
    efs = {"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-12345678"}}
    task = stage.wait(stage.run(stage.register(container, volumes=[efs])))
    assert "efsVolumeConfiguration" in task["stoppedReason"], "never an empty directory in its place"


@pytest.fixture
def machine(server, stage):
    machine = Machine(server, stage).start()
    yield machine
    machine.down("--purge")
    machine.place.remove()


def shared(autoprovision, **more):
    return {"name": "kept", "dockerVolumeConfiguration": {
        "scope": "shared", "autoprovision": autoprovision, "driver": "local", **more}}


@pytest.mark.long
def test_on_a_machine_of_one_s_own(stage, machine, tmp_path):
    stage.image = stage.account.push(image.busybox(extra=[("plain/file", b"from the image\n", 0o644)]))

    def run(script, volumes, *mounts):
        container = {**stage.container(script, logged=True, mountPoints=list(mounts)), "memory": 64}
        definition = stage.ecs.register_task_definition(
            family=stage.name, networkMode="awsvpc", volumes=volumes, containerDefinitions=[container])
        return stage.ecs.run_task(
            cluster=stage.cluster, launchType="EC2", networkConfiguration=NETWORK,
            taskDefinition=definition["taskDefinition"]["taskDefinitionArn"])

    def finish(*arguments):
        answer = run(*arguments)
        assert answer["failures"] == []
        return stage.wait(answer["tasks"][0]["taskArn"])

    def output(*arguments):
        task = finish(*arguments)
        assert task["containers"][0].get("exitCode") == 0, task
        return stage.lines(task)

    task = finish("true", [shared(False)], mount("kept", "/kept"))
    assert task["stopCode"] == "TaskFailedToStart"
    assert "volume 'kept' does not exist and autoprovision is set to false" in task["stoppedReason"]
    nfs = {"name": "v", "dockerVolumeConfiguration": {"driver": "rexray/ebs"}}
    assert run("true", [nfs], mount("v", "/v"))["failures"][0]["reason"] == "ATTRIBUTE"
    nfs["dockerVolumeConfiguration"] = {"driver": "local", "driverOpts": {"type": "nfs"}}
    assert "driver option type" in finish("true", [nfs], mount("v", "/v"))["stoppedReason"]

    # A shared one stays, a task's own doesn't; the image's content is in both, as Docker has it.
    own = {"name": "own", "dockerVolumeConfiguration": {"scope": "task"}}
    mounts = mount("kept", "/plain"), mount("own", "/own")
    script = "cat /plain/file; echo more >> /plain/file; ls -A /own; echo x > /own/x"
    assert output(script, [shared(True, labels={"team": "a"}), own], *mounts) == ["from the image"]
    machine.kill()
    machine.start()
    assert output(script, [shared(False), own], *mounts) == ["from the image", "more"]
    assert list(volumes_of(machine.place).iterdir()) == []
    assert (machine.volumes / "shared/kept/data/file").read_text() == "from the image\nmore\nmore\n"

    # A host's path is itself, made where it is missing, with what is there.
    (tmp_path / "given").write_text("of the host\n")
    host = [{"name": "h", "host": {"sourcePath": str(tmp_path)}},
            {"name": "new", "host": {"sourcePath": str(tmp_path / "new/deep")}}]
    lines = output("cat /h/given; touch /h/x 2>/dev/null || echo refused; echo made > /new/file", host,
                   mount("h", "/h", True), mount("new", "/new"))
    assert lines == ["of the host", "refused"]
    assert (tmp_path / "new/deep/file").read_text() == "made\n" and not (tmp_path / "x").exists()

    machine.down()
    assert (machine.volumes / "shared/kept/data/file").exists(), "`down` keeps shared volumes"
    machine.down("--purge")
    assert not machine.volumes.exists()
