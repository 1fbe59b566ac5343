"""The websockets of an agent, spoken by hand: also what no agent would say."""

import base64
import os
import socket
import struct
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .server import context

TEXT, CLOSE = 1, 8


class AgentSocket:
    """`kind`: acs or tcs. Frames are sent as they are given; what comes back is read by `receive`."""

    def __init__(self, account, kind, cluster, instance, keys=None, **said):
        """`keys`: an agent's own, in place of the person's. `said`: of the query."""
        names = {"acs": ("clusterArn", "containerInstanceArn"), "tcs": ("cluster", "containerInstance")}[kind]
        query = urllib.parse.urlencode({
            names[0]: cluster, names[1]: instance, "agentHash": "by-hand", "agentVersion": "1.0.0",
            "dockerVersion": "none", "protocolVersion": "2", "seqNum": "1", "sendCredentials": "true", **said},
            quote_via=urllib.parse.quote)
        keys = keys or account.environment
        request = AWSRequest("GET", f"{account.server.url}/{kind}/ws?{query}")
        credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
        SigV4Auth(credentials, "ecs", account.region).add_auth(request)
        # The official agent writes a space as `+` and signs it as `%20`.
        lines = [f"GET /{kind}/ws?{query.replace('%20', '+')} HTTP/1.1", f"Host: {account.server.host}", "Connection: Upgrade",
                 "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                 f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
                 *(f"{name}: {value}" for name, value in request.headers.items())]
        self.socket = socket.create_connection((account.server.ip, account.server.port), timeout=60)
        if account.server.ca:
            self.socket = context(account.server.ca).wrap_socket(self.socket, server_hostname=account.server.ip)
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.stream = self.socket.makefile("rb")
        self.status = int(self.stream.readline().split()[1])
        length = 0
        while line := self.stream.readline().strip().lower():
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        # Why a handshake is refused.
        self.refusal = self.stream.read(length).decode() if self.status != 101 else None

    def send(self, text, kind=TEXT):
        """One frame, masked with zeros as a client's must be masked (RFC 6455, 5.3)."""
        content = text.encode() if isinstance(text, str) else text
        length = len(content)
        head = bytes([0x80 | kind])
        if length < 126:
            head += bytes([0x80 | length])
        elif length < 1 << 16:
            head += bytes([0x80 | 126]) + struct.pack(">H", length)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", length)
        self.socket.sendall(head + bytes(4) + content)

    def receive(self):
        """The next text; none when the server has ended the session."""
        try:
            while True:
                head = self.stream.read(2)
                if len(head) < 2:
                    return None
                length = head[1] & 0x7F
                if length >= 126:
                    size = 2 if length == 126 else 8
                    length = int.from_bytes(self.stream.read(size), "big")
                content = self.stream.read(length)
                if head[0] & 0x0F == CLOSE:
                    return None
                if head[0] & 0x0F == TEXT:
                    return content.decode()
        except ConnectionError:
            return None

    def close(self):
        self.stream.close()
        self.socket.close()
