"""`longshore registry verify`: what the disk lost is named, on a running server and on a stopped one."""

import json
import shutil

from support import image
from support.aws import Account


def layer(word):
    return image.layer(files=[("word", word.encode(), 0o644)])


def file_of(server, digest):
    return server.data_dir / "registry/blobs" / digest.replace(":", "/")


def verify(server, *arguments):
    done = server.run("registry", "verify", *arguments, check=False)
    assert "panicked" not in done.stderr
    return done


def test_a_flipped_byte_and_a_lost_file_are_named(own_server):
    own_server.start()
    account = Account(own_server)
    pictures = {word: image.Image([layer(word)]) for word in ("flipped", "lost", "fine")}
    for word, picture in pictures.items():
        account.push(picture, account.repository(f"team/{word}"), "v1")
    assert verify(own_server).returncode == 0

    flipped, lost = (list(pictures[word].blobs)[-1] for word in ("flipped", "lost"))
    damaged = bytearray(file_of(own_server, flipped).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    file_of(own_server, flipped).write_bytes(damaged)
    file_of(own_server, lost).unlink()

    def named():
        done = verify(own_server)
        assert done.returncode == 1, done.stderr
        assert done.stdout.splitlines() == [line for name, lines in sorted({
            flipped: [f"blob {flipped} is damaged",
                      f"    {file_of(own_server, flipped)} has the digest {image.digest(bytes(damaged))}",
                      "    needed by 000000000000/us-east-1/team/flipped: v1"],
            lost: [f"blob {lost} is missing", "    needed by 000000000000/us-east-1/team/lost: v1"],
        }.items()) for line in lines]

    named()
    found = json.loads(verify(own_server, "--json").stdout)
    assert {(entry["finding"], entry["digest"]) for entry in found["findings"]} == {
        ("damagedBlob", flipped), ("missingBlob", lost)}
    assert (found["repositories"], found["manifests"]) == (3, 3)

    own_server.kill()
    named()
    a_damaged_database_is_told(own_server)

    # What the help says mends it.
    file_of(own_server, flipped).unlink()
    own_server.start()
    for word, picture in pictures.items():
        account.push(picture, f"team/{word}", "v1")
    assert verify(own_server).stdout == ""


def a_damaged_database_is_told(server):
    """On a copy: the records are gone, and the report says so."""
    copy = server.home / "copy"
    copy.mkdir()
    for name in ("credentials.json", "registry.db"):
        shutil.copy(server.data_dir / name, copy)
    for content in (b"", b"no database at all " * 1000):
        (copy / "registry.db").write_bytes(content)
        done = server.run("registry", "verify", "--data-dir", str(copy), check=False)
        assert done.returncode == 1 and done.stdout == ""
        assert "the registry's records can't be read" in done.stderr and "panicked" not in done.stderr
    (copy / "registry.db").unlink()
    assert server.run("registry", "verify", "--data-dir", str(copy), check=False).returncode == 1


def test_what_is_left_over_is_named_and_harmless(own_server):
    own_server.start()
    account = Account(own_server)
    account.push(image.Image([layer("fine")]), account.repository("app"), "v1")
    orphan = file_of(own_server, image.digest(b"orphan"))
    orphan.write_bytes(b"orphan")
    done = verify(own_server)
    assert (done.returncode, done.stdout) == (0, f"left over: {orphan}\n")
    assert orphan.exists(), "it only looks"
    own_server.kill()
    own_server.start()
    assert verify(own_server).stdout == "" and not orphan.exists()


def test_where_there_never_was_a_registry(own_server, tmp_path):
    done = own_server.run("registry", "verify", "--data-dir", str(tmp_path), check=False)
    assert done.returncode == 1 and "no Longshore was ever started" in done.stderr
