// Reads what happens at a pulsegate, for ever: events.mjs HOST:PORT, and PULSEGATE_ADMIN_TOKEN.
import { once } from "node:events";
import { get } from "node:http";
import { setTimeout as rest } from "node:timers/promises";
const handle = (event) => console.log(JSON.stringify(event)); // what yours does with it
const headers = { authorization: `Bearer ${process.env.PULSEGATE_ADMIN_TOKEN}` };
for (let seq = 0, text = ""; ; [seq, text] = [0, ""], await rest(1000)) try {
  const ask = get(`http://${process.argv[2]}/v1/events`, { headers, keepAlive: true });
  const [answer] = await once(ask.on("error", () => {}), "response"); // or what went wrong
  handle({ type: "answer", status: answer.statusCode });
  for await (const piece of answer.setEncoding("utf8")) {
    const lines = (text + piece).split("\n");
    text = lines.pop(); // what is still to come belongs to it
    for (const event of lines.map((line) => JSON.parse(line))) {
      seq += event.count ?? 1; // {"type": "lost", "count": N}: we were too slow
      if ((event.seq ?? seq) !== seq) throw new Error(`number ${seq} is missing`);
      handle(event);
    }
  }
} catch (error) { handle({ type: "gone", why: `${error}` }); }
