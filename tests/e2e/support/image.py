"""OCI images made of nothing but busybox and Python, and pushed without any tool."""

import base64
import gzip
import hashlib
import io
import json
import subprocess
import tarfile

from . import server

BUSYBOX = "/bin/busybox"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

PASSWD = "root:x:0:0:root:/root:/bin/sh\nalice:x:1234:1235:alice:/home/alice:/bin/sh\n"
GROUP = "root:x:0:\nalice:x:1235:\nextra:x:77:alice\n"


def digest(blob):
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def applets():
    out = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout
    return [name for name in out.split() if name != "busybox"]


def layer(files=(), links=(), folders=()):
    """A tar of `files` (path, bytes, mode), symbolic `links` (path, target) and `folders` (path, mode)."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, mode in folders:
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        for path, content, mode in files:
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
        for path, target in links:
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return raw.getvalue()


class Image:
    """One platform's image: its blobs and its manifest."""

    def __init__(self, layers, config=None, architecture="amd64"):
        self.blobs = {}
        described = []
        for tar in layers:
            packed = gzip.compress(tar, 1, mtime=0)
            described.append(self.add(LAYER, packed))
        document = {
            "architecture": architecture, "os": "linux", "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in layers]},
        }
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": self.add(CONFIG, json.dumps(document).encode()), "layers": described,
        }).encode()
        self.architecture = architecture

    def add(self, kind, blob):
        self.blobs[digest(blob)] = blob
        return {"mediaType": kind, "digest": digest(blob), "size": len(blob)}

    @property
    def digest(self):
        return digest(self.manifest)

    def descriptor(self):
        return {
            "mediaType": MANIFEST, "digest": self.digest, "size": len(self.manifest),
            "platform": {"architecture": self.architecture, "os": "linux"},
        }


def busybox(extra=(), config=None, architecture="amd64", links=(), folders=()):
    """busybox with every applet, a user `alice`, and whatever `extra` files, `links` and `folders` a test wants."""
    with open(BUSYBOX, "rb") as program:
        binary = program.read()
    base = layer(
        files=[("bin/busybox", binary, 0o755), ("etc/passwd", PASSWD.encode(), 0o644),
               ("etc/group", GROUP.encode(), 0o644)],
        links=[(f"bin/{name}", "busybox") for name in applets()],
        folders=[("bin", 0o755), ("etc", 0o755), ("tmp", 0o1777), ("root", 0o700), ("home/alice", 0o755)],
    )
    layers = [base] + ([layer(files=extra, links=links, folders=folders)] if extra or links or folders else [])
    defaults = {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]}
    return Image(layers, config={**defaults, **(config or {})}, architecture=architecture)


def index(images):
    return json.dumps({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": [image.descriptor() for image in images],
    }).encode()


def write_layout(folder, images, tag):
    """An OCI image layout of one image, or of an index over several; skopeo and buildah read it."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    for image in images:
        for name, blob in [*image.blobs.items(), (image.digest, image.manifest)]:
            (blobs / name.removeprefix("sha256:")).write_bytes(blob)
    top = images[0].descriptor()
    if len(images) > 1:
        document = index(images)
        (blobs / digest(document).removeprefix("sha256:")).write_bytes(document)
        top = {"mediaType": INDEX, "digest": digest(document), "size": len(document)}
    top["annotations"] = {"org.opencontainers.image.ref.name": tag}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    return top["digest"]


class Pusher:
    """The few calls of the distribution protocol that a push needs."""

    def __init__(self, host, password, user="AWS", ca=None):
        self.host, self.ca = host, ca
        self.authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def call(self, method, path, body=None, **headers):
        connection = server.connection(self.host, self.ca, timeout=120)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Authorization": self.authorization, **headers})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    def blob(self, repository, blob):
        name = digest(blob)
        status, _, _ = self.call("HEAD", f"/v2/{repository}/blobs/{name}")
        if status == 200:
            return
        status, headers, told = self.call("POST", f"/v2/{repository}/blobs/uploads/")
        assert status == 202, (status, told)
        place = headers["Location"].removeprefix(f"{'https' if self.ca else 'http'}://{self.host}")
        place += ("&" if "?" in place else "?") + f"digest={name}"
        status, _, told = self.call("PUT", place, blob, Content_Type="application/octet-stream")
        assert status == 201, (status, told)

    def push(self, image, repository, tag):
        for blob in image.blobs.values():
            self.blob(repository, blob)
        return self.manifest(repository, tag, image.manifest, MANIFEST)

    def manifest(self, repository, tag, document, kind):
        status, _, told = self.call("PUT", f"/v2/{repository}/manifests/{tag}", document, Content_Type=kind)
        assert status == 201, (status, told)
        return digest(document)
