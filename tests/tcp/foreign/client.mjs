// A client of the gate in nothing but Node's own modules, and a story that it plays.
//
//     node client.mjs line|lenhdr|binary HOST:PORT
//
// Written against the contract on the wire: it shares no line with the server. Exits with 0 where
// everything came as the contract says.

import assert from "node:assert/strict";
import { connect } from "node:net";

const message = (id, from, body, ack) => ({ type: "msg", id: String(id), from, body, ack });

// `KEY=VALUE …` as an object of numbers.
function pairs(text) {
  const fields = text.split(" ").filter((pair) => pair !== "");
  return Object.fromEntries(fields.map((pair) => pair.split("=")).map(([k, v]) => [k, Number(v)]));
}

// Words, and a line end.
const line = {
  frame: (...fields) => Buffer.from(`${fields.join(" ")}\n`),
  // How long the first frame in the input is, and where its body begins; nothing where it is torn.
  cut(input) {
    const end = input.indexOf(10);
    return end < 0 ? null : { body: input.subarray(0, end), length: end + 1 };
  },
  read(body) {
    const [kind, ...words] = body.toString().split(" ");
    if (kind === "msg" || kind === "msga") {
      return message(words[0], words[1], words.slice(2).join(" "), kind === "msga");
    }
    if (kind === "error") return { type: kind, code: words[0] };
    if (kind === "close") return { type: kind, reason: words[0] };
    return { type: kind, ...pairs(words.join(" ")) };
  },
};

// `length:`, thirteen digits, and JSON.
const KEYS = {
  login: ["user"], send: ["to", "body"], join: ["topic"], leave: ["topic"], pub: ["topic", "body"],
  data: ["body"], ack: ["id"],
};
const lenhdr = {
  frame(kind, ...fields) {
    const told = { type: kind === "asend" ? "send" : kind };
    (KEYS[told.type] ?? []).forEach((key, at) => (told[key] = fields[at]));
    if (kind === "ack") told.id = Number(told.id);
    if (kind === "asend") told.ack = true;
    const body = Buffer.from(JSON.stringify(told));
    return Buffer.concat([Buffer.from(`length:${String(body.length).padStart(13, "0")}`), body]);
  },
  cut(input) {
    if (input.length < 20) return null;
    const header = input.subarray(0, 20).toString();
    assert.match(header, /^length:\d{13}$/);
    const length = 20 + Number(header.slice(7));
    return input.length < length ? null : { body: input.subarray(20, length), length };
  },
  read(body) {
    const told = JSON.parse(body.toString());
    if (told.type !== "msg") return told;
    const from = told.topic === undefined ? told.from : `topic:${told.topic}/${told.from}`;
    return message(told.id, from, told.body, told.ack ?? false);
  },
};

// Four bytes of length, an opcode, fields.
const CODES = {
  ping: 1, pong: 2, login: 3, send: 4, join: 5, leave: 6, pub: 7, data: 8, ack: 9, quit: 10,
  asend: 11, nonsense: 99,
};
const KINDS = {
  0x81: "pong", 0x82: "ping", 0x83: "ok", 0x84: "error", 0x85: "msg", 0x86: "close", 0x87: "msga",
};
function string(text) {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
function takeString(bytes) {
  const end = 2 + bytes.readUInt16BE(0);
  return [bytes.subarray(2, end).toString(), bytes.subarray(end)];
}
const binary = {
  frame(kind, first = "", second = "") {
    const parts = [Buffer.of(CODES[kind])];
    if (kind === "ack") {
      const id = Buffer.alloc(8);
      id.writeBigUInt64BE(BigInt(first));
      parts.push(id);
    } else if (kind === "login") parts.push(string(first), string(""));
    else if (kind === "join" || kind === "leave") parts.push(string(first));
    else if (kind === "data") parts.push(Buffer.from(first));
    else if (first !== "") parts.push(string(first), Buffer.from(second)); // send, asend, pub
    const body = Buffer.concat(parts);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    return Buffer.concat([length, body]);
  },
  cut(input) {
    if (input.length < 4) return null;
    const length = 4 + input.readUInt32BE(0);
    return input.length < length ? null : { body: input.subarray(4, length), length };
  },
  read(body) {
    const [kind, rest] = [KINDS[body[0]], body.subarray(1)];
    if (kind === "msg" || kind === "msga") {
      const [from, text] = takeString(rest.subarray(8));
      return message(rest.readBigUInt64BE(0), from, text.toString(), kind === "msga");
    }
    if (kind === "error") return { type: kind, code: takeString(rest)[0] };
    if (kind === "close") return { type: kind, reason: takeString(rest)[0] };
    return { type: kind, ...pairs(rest.toString()) };
  },
};

// A connection; it answers the server's pings by itself.
class Client {
  constructor(framing, place) {
    const [host, port] = place.split(":");
    this.framing = framing;
    this.pings = 0;
    this.socket = connect({ host, port: Number(port), noDelay: true });
    this.socket.setTimeout(20_000, () => this.socket.destroy(new Error("nothing comes")));
    this.frames = this.cut();
  }

  async *cut() {
    let input = Buffer.alloc(0);
    for await (const bytes of this.socket) {
      input = Buffer.concat([input, bytes]);
      for (let found; (found = this.framing.cut(input)); input = input.subarray(found.length)) {
        yield this.framing.read(found.body);
      }
    }
    assert.equal(input.length, 0, "the server ends in the middle of a frame");
  }

  say(...fields) {
    this.socket.write(this.framing.frame(...fields));
  }

  async hear() {
    for (;;) {
      const { value, done } = await this.frames.next();
      if (done || value.type !== "ping") return value;
      this.pings += 1;
      this.say("pong");
    }
  }

  async hears(wanted) {
    const told = await this.hear();
    for (const key of Object.keys(wanted)) {
      assert.deepEqual(told?.[key], wanted[key], `${key} in ${JSON.stringify(told)}`);
    }
    return told;
  }

  asks(fields, wanted = {}) {
    this.say(...fields);
    return this.hears({ type: "ok", ...wanted });
  }

  async leaves() {
    await this.asks(["quit"], { type: "close", reason: "quit" });
    assert.equal(await this.hear(), undefined, "something comes after the goodbye");
  }
}

async function play(framing, place) {
  const alice = new Client(framing, place);
  let bob = new Client(framing, place);
  await alice.asks(["ping"], { type: "pong" });
  const early = { type: "error", code: "login-required" };
  await alice.asks(["send", "bob", "too early"], early);
  assert.ok((await alice.asks(["login", "alice"], { proto: 1 })).heartbeat > 0);
  await bob.asks(["login", "bob"]);

  // topics: a publisher that has joined gets its own copy, behind the answer
  await alice.asks(["join", "news"]);
  await bob.asks(["join", "news"]);
  await alice.asks(["pub", "news", "hello, wörld"], { queued: 2 });
  const copy = { from: "topic:news/alice", body: "hello, wörld" };
  const { id } = await alice.hears(copy);
  await bob.hears({ ...copy, id });
  await bob.asks(["leave", "news"]);
  await bob.asks(["leave", "news"], { type: "error", code: "not-joined" });

  // to a user; what is acknowledged does not come again, what is not does
  await alice.asks(["send", "bob", "hi"], { queued: 1 });
  await bob.hears({ from: "alice", body: "hi", ack: false });
  await alice.asks(["asend", "bob", "first"], { queued: 1 });
  await alice.asks(["asend", "bob", "second"], { queued: 1 });
  const first = await bob.hears({ body: "first", ack: true });
  const second = await bob.hears({ body: "second", ack: true });
  bob.say("ack", first.id);
  await bob.leaves();
  bob = new Client(framing, place);
  await bob.asks(["login", "bob"]);
  await bob.hears(second);
  bob.say("ack", second.id);
  await bob.asks(["ping"], { type: "pong" });
  await alice.asks(["send", "nobody", "hi"], { type: "error", code: "no-such-user" });
  await alice.asks(["data", "for whom it may concern"], { type: "error", code: "no-backend" });
  await alice.asks(["nonsense"], { type: "error", code: "bad-request" });

  // many in one write: each is answered, in order
  const numbers = Array.from({ length: 100 }, (_, at) => String(at));
  const both = (at) => [framing.frame("send", "bob", at), framing.frame("ping")];
  alice.socket.write(Buffer.concat(numbers.flatMap(both)));
  for (const body of numbers) {
    await alice.hears({ type: "ok", queued: 1 });
    await alice.hears({ type: "pong" });
    await bob.hears({ body });
  }
  // one in many writes: the next leaves when the one before has left
  for (const byte of framing.frame("send", "bob", "törn")) {
    await new Promise((done) => alice.socket.write(Buffer.of(byte), done));
  }
  await alice.hears({ type: "ok", queued: 1 });
  await bob.hears({ body: "törn" });

  // who is silent is asked whether it is there; who answers stays
  for (let pings = 0; pings < 2; pings += 1) {
    const { value } = await bob.frames.next();
    assert.deepEqual(value, { type: "ping" });
    bob.say("pong");
  }
  await bob.leaves();
  await alice.leaves();
}

await play({ line, lenhdr, binary }[process.argv[2]], process.argv[3]);
process.exit(0);
