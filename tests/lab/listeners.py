"""Listens inside a namespace of the lab: listeners.py 4|46 PORT... echoes on each TCP port and on each UDP port
PORT/udp, on any local address of IPv4, or of both families.

On two kinds of port the server speaks first: on one that ends in 99 it says "tick" every 50 ms until the client goes
away, on one that ends in 98 it says "late" after 2 seconds, and echoes then. On a UDP port that ends in 99 it says to who
was heard last how many datagrams it heard, every 50 ms. Prints "ready" when everything listens."""

import asyncio
import contextlib
import sys


async def echo(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def tick(_, writer):
    with contextlib.suppress(OSError):
        while not writer.is_closing():
            writer.write(b"tick\n")
            await writer.drain()
            await asyncio.sleep(0.05)


async def late(reader, writer):
    await asyncio.sleep(2)
    with contextlib.suppress(OSError):
        writer.write(b"late\n")
        await writer.drain()
        await echo(reader, writer)


SPEAKS_FIRST = {99: tick, 98: late}


class UdpEcho(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(data, address)


class UdpTick(asyncio.DatagramProtocol):
    heard, client = 0, None

    def connection_made(self, transport):
        self.transport = transport
        self.ticking = asyncio.get_running_loop().create_task(self.tick())

    def datagram_received(self, _, address):
        self.heard += 1
        self.client = address

    async def tick(self):
        while True:
            if self.client:
                self.transport.sendto(str(self.heard).encode(), self.client)
            await asyncio.sleep(0.05)


async def main(families, ports):
    loop = asyncio.get_running_loop()
    tcp_host, udp_host = (None, "::") if families == "46" else ("0.0.0.0", "0.0.0.0")
    for port in ports:
        number = int(port.removesuffix("/udp"))
        if port.endswith("/udp"):
            await loop.create_datagram_endpoint(UdpTick if number % 100 == 99 else UdpEcho, local_addr=(udp_host, number))
        else:
            await asyncio.start_server(SPEAKS_FIRST.get(number % 100, echo), tcp_host, number, backlog=500)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
