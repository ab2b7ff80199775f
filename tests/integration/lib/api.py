"""Clients of the api-server: REST, event streams, and the WebSocket argocd-live.v1."""
import base64
import http.client
import json
import os
import socket
import ssl
import struct
import zlib


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class Api:
    def __init__(self, port, tls=False, token=None, base="", host="127.0.0.1", timeout=20):
        self.port, self.tls, self.token, self.base, self.host, self.timeout = port, tls, token, base, host, timeout

    def connect(self):
        if self.tls:
            context = ssl._create_unverified_context()
            return http.client.HTTPSConnection(self.host, self.port, timeout=self.timeout, context=context)
        return http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)

    def __call__(self, method, path, body=None, headers=None, content_type="application/json", token=None):
        connection = self.connect()
        all_headers = dict(headers or {})
        token = token or self.token
        if token:
            all_headers.setdefault("Authorization", "Bearer " + token)
        if content_type and method != "GET":
            all_headers.setdefault("Content-Type", content_type)
        data = body if isinstance(body, (bytes, str, type(None))) else json.dumps(body)
        try:
            connection.request(method, self.base + path, data, all_headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **more):
        return self("GET", path, **more)

    def login(self, username, password):
        answer = self("POST", "/api/v1/session", {"username": username, "password": password})
        if answer.status == 200:
            self.token = answer.json["token"]
        return answer

    def stream(self, path, headers=None):
        """An open response whose lines come as they are sent."""
        connection = self.connect()
        all_headers = {"Authorization": "Bearer " + self.token, **(headers or {})}
        connection.request("GET", self.base + path, headers=all_headers)
        response = connection.getresponse()
        response.connection_of_stream = connection
        return response


class WebSocket:
    def __init__(self, api, path="/api/v1/stream/ws", headers=None, protocol="argocd-live.v1", deflate=False):
        self.socket = socket.create_connection(("127.0.0.1", api.port), timeout=20)
        if api.tls:
            self.socket = ssl._create_unverified_context().wrap_socket(self.socket)
        lines = {"Host": "127.0.0.1:%d" % api.port, "Connection": "Upgrade", "Upgrade": "websocket",
                 "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), "Sec-WebSocket-Version": "13",
                 "Sec-WebSocket-Protocol": protocol}
        if deflate:
            lines["Sec-WebSocket-Extensions"] = "permessage-deflate; client_max_window_bits"
        if api.token:
            lines["Authorization"] = "Bearer " + api.token
        lines.update(headers or {})
        request = "GET %s HTTP/1.1\r\n" % (api.base + path) + "".join("%s: %s\r\n" % l for l in lines.items()) + "\r\n"
        self.socket.sendall(request.encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        self.head = head.decode()
        self.status = int(self.head.split(" ")[1])
        self.inflate = zlib.decompressobj(-15) if "permessage-deflate" in self.head else None
        self.code = None

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the connection was closed")
        self.rest += data

    def _take(self, n):
        while len(self.rest) < n:
            self._more()
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def send(self, message, opcode=1):
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        mask = os.urandom(4)
        size = len(data)
        head = bytes([0x80 | opcode])
        head += bytes([0x80 | size]) if size < 126 else bytes([0x80 | 126]) + struct.pack(">H", size) if size < 65536 \
            else bytes([0x80 | 127]) + struct.pack(">Q", size)
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def frame(self):
        first, second = self._take(2)
        size = second & 0x7f
        if size == 126:
            size = struct.unpack(">H", self._take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self._take(8))[0]
        return first, self._take(size)

    def receive(self):
        """The next message; None when the server closes (then .code says why)."""
        data, compressed = b"", False
        while True:
            first, piece = self.frame()
            opcode = first & 0xf
            if opcode == 8:
                self.code = struct.unpack(">H", piece[:2])[0] if len(piece) >= 2 else 1005
                return None
            if opcode == 9:
                self.send(piece, 10)
                continue
            if opcode == 10:
                continue
            compressed |= bool(first & 0x40)
            data += piece
            if first & 0x80:
                break
        if compressed:
            data = self.inflate.decompress(data + b"\x00\x00\xff\xff")
        return json.loads(data)

    def until(self, event, **fields):
        while True:
            m = self.receive()
            if m is None:
                raise AssertionError("closed with %s while waiting for %s" % (self.code, event))
            if m["ev"] == event and all(m.get(k) == v for k, v in fields.items()):
                return m

    def close(self):
        self.socket.close()
