"""A client of the gate in nothing but Python's standard library, and a story that it plays.

    python3 client.py line|lenhdr|binary HOST:PORT

Written against the contract on the wire: it shares no line with the server. Exits with 0 where
everything came as the contract says.
"""

import json
import socket
import struct
import sys


class Line:
    """Words, and a line end."""

    def frame(self, kind, *fields):
        return " ".join([kind, *fields]).encode() + b"\n"

    def cut(self, stream):
        line = stream.readline()
        assert not line or line.endswith(b"\n"), line
        return line[:-1]

    def read(self, line):
        kind, _, rest = line.decode().partition(" ")
        if kind in ("msg", "msga"):
            id, sender, body = rest.split(" ", 2)
            return message(int(id), sender, body, kind == "msga")
        if kind == "error":
            return {"type": kind, "code": rest.split(" ")[0]}
        if kind == "close":
            return {"type": kind, "reason": rest.split(" ")[0]}
        return {"type": kind, **pairs(rest)}


class Lenhdr:
    """`length:`, thirteen digits, and JSON."""

    KEYS = {"login": ["user"], "send": ["to", "body"], "join": ["topic"], "leave": ["topic"],
            "pub": ["topic", "body"], "data": ["body"], "ack": ["id"]}

    def frame(self, kind, *fields):
        known = "send" if kind == "asend" else kind
        fields = [int(field) for field in fields] if kind == "ack" else fields
        told = {"type": known, **dict(zip(self.KEYS.get(known, []), fields))}
        if kind == "asend":
            told["ack"] = True
        body = json.dumps(told, ensure_ascii=False).encode()
        return b"length:%013d" % len(body) + body

    def cut(self, stream):
        header = stream.read(20)
        if not header:
            return b""
        assert len(header) == 20 and header[:7] == b"length:", header
        return stream.read(int(header[7:]))

    def read(self, body):
        told = json.loads(body)
        if told["type"] == "msg":
            sender = f"topic:{told['topic']}/{told['from']}" if "topic" in told else told["from"]
            return message(told["id"], sender, told["body"], told.get("ack", False))
        wanted = {"error": ("type", "code"), "close": ("type", "reason")}
        return {key: told[key] for key in wanted.get(told["type"], told)}


class Binary:
    """Four bytes of length, an opcode, fields."""

    CODES = {"ping": 1, "pong": 2, "login": 3, "send": 4, "join": 5, "leave": 6, "pub": 7,
             "data": 8, "ack": 9, "quit": 10, "asend": 11, "nonsense": 99}
    KINDS = {0x81: "pong", 0x82: "ping", 0x83: "ok", 0x84: "error", 0x85: "msg", 0x86: "close",
             0x87: "msga"}

    def frame(self, kind, *fields):
        fields = [field.encode() for field in fields]
        body = bytes([self.CODES[kind]])
        if kind == "ack":
            body += struct.pack(">Q", int(fields[0]))
        elif kind == "login":
            body += string(fields[0]) + string(b"")
        elif kind in ("join", "leave"):
            body += string(fields[0])
        elif kind in ("send", "asend", "pub"):
            body += string(fields[0]) + fields[1]
        elif kind == "data":
            body += fields[0]
        return struct.pack(">I", len(body)) + body

    def cut(self, stream):
        length = stream.read(4)
        return stream.read(struct.unpack(">I", length)[0]) if length else b""

    def read(self, body):
        kind, rest = self.KINDS[body[0]], body[1:]
        if kind in ("msg", "msga"):
            sender, text = take_string(rest[8:])
            return message(struct.unpack(">Q", rest[:8])[0], sender, text.decode(), kind == "msga")
        if kind == "error":
            return {"type": kind, "code": take_string(rest)[0]}
        if kind == "close":
            return {"type": kind, "reason": take_string(rest)[0]}
        return {"type": kind, **pairs(rest.decode())}


def message(id, sender, body, ack):
    return {"type": "msg", "id": id, "from": sender, "body": body, "ack": ack}


def pairs(text):
    fields = [pair.split("=") for pair in text.split(" ") if pair]
    return {key: int(value) for key, value in fields}


def string(data):
    return struct.pack(">H", len(data)) + data


def take_string(data):
    end = 2 + struct.unpack(">H", data[:2])[0]
    return data[2:end].decode(), data[end:]


class Client:
    """A connection; it answers the server's pings by itself."""

    def __init__(self, framing, place):
        self.framing = framing
        host, _, port = place.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        self.pings = 0

    def say(self, *fields):
        self.socket.sendall(self.framing.frame(*fields))

    def hear(self):
        while True:
            told = self.framing.read(self.framing.cut(self.stream))
            if told["type"] != "ping":
                return told
            self.pings += 1
            self.say("pong")

    def hears(self, **wanted):
        told = self.hear()
        same = {key: told.get(key) for key in wanted}
        assert same == wanted, f"wanted {wanted}, heard {told}"
        return told

    def asks(self, *fields, **wanted):
        self.say(*fields)
        return self.hears(**{"type": "ok", **wanted})

    def leaves(self):
        self.asks("quit", type="close", reason="quit")
        assert self.framing.cut(self.stream) == b"", "something comes after the goodbye"
        self.socket.close()


def play(framing, place):
    alice, bob = Client(framing, place), Client(framing, place)
    alice.asks("ping", type="pong")
    alice.asks("send", "bob", "too early", type="error", code="login-required")
    assert alice.asks("login", "alice", proto=1)["heartbeat"] > 0
    bob.asks("login", "bob")

    # topics: a publisher that has joined gets its own copy, behind the answer
    alice.asks("join", "news")
    bob.asks("join", "news")
    alice.asks("pub", "news", "hello, wörld", queued=2)
    copy = {"from": "topic:news/alice", "body": "hello, wörld"}
    bob.hears(**copy, id=alice.hears(**copy)["id"])
    bob.asks("leave", "news")
    bob.asks("leave", "news", type="error", code="not-joined")

    # to a user; what is acknowledged does not come again, what is not does
    alice.asks("send", "bob", "hi", queued=1)
    bob.hears(**{"from": "alice"}, body="hi", ack=False)
    alice.asks("asend", "bob", "first", queued=1)
    alice.asks("asend", "bob", "second", queued=1)
    first, second = bob.hears(body="first", ack=True), bob.hears(body="second", ack=True)
    bob.say("ack", str(first["id"]))
    bob.leaves()
    bob = Client(framing, place)
    bob.asks("login", "bob")
    bob.hears(body="second", ack=True, id=second["id"])
    bob.say("ack", str(second["id"]))
    bob.asks("ping", type="pong")
    alice.asks("send", "nobody", "hi", type="error", code="no-such-user")
    alice.asks("data", "for whom it may concern", type="error", code="no-backend")
    alice.asks("nonsense", type="error", code="bad-request")

    # many in one write: each is answered, in order
    glued = b"".join(framing.frame("send", "bob", str(at)) + framing.frame("ping")
                     for at in range(100))
    alice.socket.sendall(glued)
    for at in range(100):
        alice.hears(type="ok", queued=1)
        alice.hears(type="pong")
        bob.hears(body=str(at))
    # one in many writes
    for byte in framing.frame("send", "bob", "törn"):
        alice.socket.sendall(bytes([byte]))
    alice.hears(type="ok", queued=1)
    bob.hears(body="törn")

    # who is silent is asked whether it is there; who answers stays
    while bob.pings < 2:
        told = framing.read(framing.cut(bob.stream))
        assert told == {"type": "ping"}, told
        bob.pings += 1
        bob.say("pong")
    bob.leaves()
    alice.leaves()


if __name__ == "__main__":
    play({"line": Line, "lenhdr": Lenhdr, "binary": Binary}[sys.argv[1]](), sys.argv[2])
