#!/usr/bin/env node
// A command agent in Node: counts down, one event a step, and goes when it is asked to.
//
//   [agents.countdown]
//   command = ["examples/countdown.mjs"]
//   options = { step_ms = 1000 }

import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const stopped = new AbortController();

// Every line on stdin is a control message. The first is the start; later ones come whenever they come.
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.control === "start") {
    countDown(message).then(end, fail);
  } else if (message.control === "interrupt") {
    console.error(`asked to stop: ${message.message}`); // stderr is the run's log
    stopped.abort();
  }
}

async function countDown({ input, options }) {
  let left = Number(input);
  if (!Number.isInteger(left) || left < 0) throw new Error(`not a number to count down from: ${input}`);
  say({ event: "tool.started", tool: "countdown", preview: `from ${left}` });
  try {
    for (; left > 0; left--) {
      say({ event: "message.delta", delta: `${left}\n` });
      await sleep(options.step_ms ?? 1000, undefined, { signal: stopped.signal });
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
  return { left };
}

function end(result) {
  // Any JSON; without this line the joined deltas would be the output. Left when all of it is written.
  process.stdout.write(JSON.stringify({ output: result, usage: { output_tokens: 1 } }) + "\n", () => process.exit(0));
}

function fail(error) {
  console.error(error.message);
  process.exit(2);
}
