#!/usr/bin/env python3
"""What a node's pods find on its bridge: cluster DNS and the way to the API server.
usage: node_services.py KUBECONFIG ADDRESS PORT

DNS answers A for Services (headless ones: for their ready pods, also by pod name) below cluster.local; other names go to
this machine's own resolver. PORT of ADDRESS leads to the same port of 127.0.0.1, where the API server listens."""
import asyncio
import os
import signal
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from lib.kube import ApiError, Kube  # noqa: E402 (the path comes first)

DOMAIN = "cluster.local"
POLL_SECONDS = 0.5
A, IN, NXDOMAIN, SERVFAIL = 1, 1, 3, 2


def records(kube):
    """Names to IPv4 addresses."""
    out = {}
    endpoints = {(e["metadata"]["namespace"], e["metadata"]["name"]): e for e in kube.list("v1", "Endpoints")}
    for service in kube.list("v1", "Service"):
        ns, name = service["metadata"]["namespace"], service["metadata"]["name"]
        full = "%s.%s.svc.%s" % (name, ns, DOMAIN)
        ip = service["spec"].get("clusterIP")
        if ip and ip != "None":
            out[full] = [ip]
            continue
        late = service["spec"].get("publishNotReadyAddresses")
        out[full] = []
        for subset in endpoints.get((ns, name), {}).get("subsets") or []:
            for a in subset.get("addresses", []) + (subset.get("notReadyAddresses", []) if late else []):
                out[full].append(a["ip"])
                if a.get("hostname"):
                    out["%s.%s" % (a["hostname"], full)] = [a["ip"]]
    return out


def question(packet):
    """The name and type that a query asks for, and where the question ends."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii").lower())
        at += 1 + packet[at]
    kind, klass = struct.unpack_from("!HH", packet, at + 1)
    return ".".join(labels), kind if klass == IN else 0, at + 5


def answer(packet, end, code, addresses):
    head = packet[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(addresses), 0, 0)
    body = b"".join(struct.pack("!HHHIH", 0xc00c, A, IN, 2, 4) + bytes(map(int, a.split("."))) for a in addresses)
    return head + packet[12:end] + body


class Dns(asyncio.DatagramProtocol):
    def __init__(self):
        self.records = {}
        self.upstream = self._upstream()
        self.transport = None

    @staticmethod
    def _upstream():
        with open("/etc/resolv.conf", encoding="ascii", errors="replace") as f:
            servers = [line.split()[1] for line in f if line.startswith("nameserver ")]
        return next((s for s in servers if ":" not in s), None)

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        try:
            name, kind, end = question(data)
        except (IndexError, struct.error, UnicodeDecodeError):
            return
        if name == DOMAIN or name.endswith("." + DOMAIN):
            known = name in self.records
            found = self.records[name] if known and kind == A else []
            self.transport.sendto(answer(data, end, 0 if known else NXDOMAIN, found), addr)
        else:
            asyncio.ensure_future(self.forward(data, end, addr))

    async def forward(self, data, end, addr):
        reply = answer(data, end, SERVFAIL, [])
        if self.upstream:
            loop, done = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
            transport, _ = await loop.create_datagram_endpoint(lambda: Once(done), remote_addr=(self.upstream, 53))
            try:
                transport.sendto(data)
                reply = await asyncio.wait_for(done, 5)
            except (asyncio.TimeoutError, OSError):
                pass
            finally:
                transport.close()
        self.transport.sendto(reply, addr)


class Once(asyncio.DatagramProtocol):
    def __init__(self, done):
        self.done = done

    def datagram_received(self, data, addr):
        if not self.done.done():
            self.done.set_result(data)

    def error_received(self, exc):
        if not self.done.done():
            self.done.set_exception(exc)


async def keep_records(dns, kube):
    loop = asyncio.get_running_loop()
    while True:
        try:
            dns.records = await loop.run_in_executor(None, records, kube)
        except (ApiError, OSError, ValueError) as e:
            print("services: %r" % e, flush=True)
        await asyncio.sleep(POLL_SECONDS)


async def copy(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def main(kubeconfig, address, port):
    async def to_api_server(reader, writer):
        try:
            back, forth = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, forth), copy(back, writer))

    loop = asyncio.get_running_loop()
    _, dns = await loop.create_datagram_endpoint(Dns, local_addr=(address, 53))
    await asyncio.start_server(to_api_server, address, port)
    keeper = asyncio.ensure_future(keep_records(dns, Kube(kubeconfig)))
    loop.add_signal_handler(signal.SIGTERM, keeper.cancel)
    try:
        await keeper
    except asyncio.CancelledError:
        pass


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
    os._exit(0)  # whatever a connection still waits for
