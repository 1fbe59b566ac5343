"""An upload goes on after the server was killed in the middle of it."""

import hashlib
import os
import socket

import pytest
from support import image
from support.aws import Account
from support.waiting import wait_until

CHUNK = 1 << 20
CONTENT = os.urandom(4 * CHUNK)


def digest(algorithm):
    return f"{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest()}"


def range_end(headers):
    first, last = headers["Range"].split("-")
    assert first == "0"
    return int(last) + 1


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_kill_dash_nine_in_the_middle_of_a_chunk(own_server, algorithm):
    own_server.start()
    account = Account(own_server)
    repository, pusher = account.repository(), image.Pusher(own_server.host, account.password())
    _, headers, _ = pusher.call("POST", f"/v2/{repository}/blobs/uploads/?digest-algorithm={algorithm}")
    location = headers["Location"]
    for first in (0, CHUNK):
        status, headers, _ = pusher.call("PATCH", location, CONTENT[first:first + CHUNK],
                                         Content_Range=f"{first}-{first + CHUNK - 1}")
        assert status == 202 and range_end(headers) == first + CHUNK

    # The third chunk never comes to its end.
    data = own_server.data_dir / "registry/uploads" / location.rsplit("/", 1)[1] / "data"
    connection = socket.create_connection(("127.0.0.1", own_server.port))
    head = (f"PATCH {location} HTTP/1.1\r\nHost: {own_server.host}\r\nAuthorization: {pusher.authorization}\r\n"
            f"Content-Range: {2 * CHUNK}-{3 * CHUNK - 1}\r\nContent-Length: {CHUNK}\r\n\r\n")
    connection.sendall(head.encode() + CONTENT[2 * CHUNK:2 * CHUNK + 600_000])
    wait_until(lambda: data.stat().st_size > 2 * CHUNK, "a part of the third chunk to be written")
    own_server.kill()
    connection.close()

    own_server.start()
    status, headers, _ = pusher.call("GET", location)
    have = range_end(headers)
    assert status == 204 and 2 * CHUNK <= have == data.stat().st_size
    # What was acknowledged is not asked for again, and what isn't there can't be left out.
    for wrong in (0, have - 1, have + 1):
        status, headers, _ = pusher.call("PATCH", location, CONTENT[wrong:], Content_Range=f"{wrong}-{len(CONTENT) - 1}")
        assert status == 416 and range_end(headers) == have
    status, headers, _ = pusher.call("PATCH", location, CONTENT[have:3 * CHUNK],
                                     Content_Range=f"{have}-{3 * CHUNK - 1}")
    assert status == 202
    status, headers, told = pusher.call("PUT", f"{headers['Location']}?digest={digest(algorithm)}", CONTENT[3 * CHUNK:],
                                        Content_Range=f"{3 * CHUNK}-{len(CONTENT) - 1}")
    assert status == 201, told
    status, _, content = pusher.call("GET", headers["Location"])
    assert status == 200 and content == CONTENT
    assert own_server.run("registry", "verify").stdout == ""


def test_parts_by_the_api_go_on_too(own_server):
    own_server.start()
    account = Account(own_server)
    repository = account.repository()
    upload = account.ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]

    def part(first, last):
        return account.ecr.upload_layer_part(repositoryName=repository, uploadId=upload, partFirstByte=first,
                                             partLastByte=last - 1, layerPartBlob=CONTENT[first:last])
    assert part(0, CHUNK)["lastByteReceived"] == CHUNK - 1
    own_server.kill()
    own_server.start()
    part(CHUNK, len(CONTENT))
    done = account.ecr.complete_layer_upload(repositoryName=repository, uploadId=upload,
                                             layerDigests=[digest("sha256")])
    assert done["layerDigest"] == digest("sha256")
    pusher = image.Pusher(own_server.host, account.password())
    assert pusher.call("GET", f"/v2/{repository}/blobs/{digest('sha256')}")[2] == CONTENT
