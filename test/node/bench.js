// SPDX-License-Identifier: MIT
'use strict';
// What calls from Node cost, beside what Node has for the same. A report: it asserts nothing.
// bench.js [SECONDS] is how long one measurement may take. Ours and theirs take turns, and of each the best of ROUNDS
// counts, so that what else the machine does weighs less.
const { fork } = require('child_process');
const { Worker } = require('worker_threads');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { Channel, Dict, Stream } = require('shmstream');

const ROUNDS = 5;
const seconds = Number(process.argv[2] ?? 0.3);
const name = (what) => `bench-node-${what}-${process.pid}`;
const now = () => Number(process.hrtime.bigint()) / 1e9;

/** Seconds that one call takes. */
function perCall(call) {
  for (let n = 1; ; n *= 2) {
    const start = now();
    for (let i = 0; i < n; i++) call();
    const took = now() - start;
    if (took > seconds / ROUNDS / 4) return took / n;
  }
}

function line(what, ours, peer, theirs) {
  const us = (s) => `${(s * 1e6).toFixed(2).padStart(9)} us`;
  const beside = peer ? `   ${peer.padEnd(32)} ${us(theirs)}   ratio ${(theirs / ours).toFixed(1).padStart(7)}` : '';
  console.log(`${what.padEnd(30)} ${us(ours)}${beside}`);
}

function beside(what, ours, peer, theirs) {
  const best = [Infinity, Infinity];
  for (let i = 0; i < ROUNDS; i++) {
    best[0] = Math.min(best[0], perCall(ours));
    if (theirs) best[1] = Math.min(best[1], perCall(theirs));
  }
  line(what, best[0], peer, best[1]);
}

// ---- messages from another process, or another thread: seconds a message, from the first one on

async function timed(count, each) {
  let got = 0;
  let start;
  await each(() => {
    if (got++ === 0) start = now();
    return got < count;
  });
  return (now() - start) / (count - 1);
}

const senders = {
  async channel(to, size, count) {
    const channel = new Channel(to, 'send');
    const message = Buffer.alloc(size, 'x');
    for (let i = 0; i < count; i++) if (!channel.trySend(message)) await channel.send(message);
    channel.close();
  },
  async process(to, size, count) {
    const message = 'x'.repeat(size); // a Buffer would cost far more: it is sent as JSON
    for (let i = 0; i < count; i++) {
      if (!process.send(message)) await new Promise((resolve) => setImmediate(resolve));
    }
    process.once('message', () => process.disconnect()); // the other one has all
  },
};

async function ours(size, count) {
  const channel = new Channel(name('flow'), 'receive', { size: 4 << 20 });
  const other = fork(__filename, ['send', 'channel', name('flow'), size, count]);
  const ended = new Promise((resolve) => other.once('exit', resolve));
  const each = await timed(count, async (more) => {
    for await (const message of channel) if (message.length !== size || !more()) break;
  });
  await ended;
  channel.close();
  return each;
}

async function processSend(size, count) {
  const other = fork(__filename, ['send', 'process', '-', size, count]);
  const ended = new Promise((resolve) => other.once('exit', resolve));
  const each = await timed(count, (more) => new Promise((resolve) => {
    other.on('message', () => more() || resolve());
  }));
  other.send('done');
  await ended;
  return each;
}

async function workerMessages(size, count) {
  const code = `const { parentPort } = require('worker_threads');
    const message = Buffer.alloc(${size}, 'x');
    for (let i = 0; i < ${count}; i++) parentPort.postMessage(message);`;
  const worker = new Worker(code, { eval: true });
  const each = await timed(count, (more) => new Promise((resolve) => {
    worker.on('message', () => more() || resolve());
  }));
  await worker.terminate();
  return each;
}

async function flows(size, most) {
  const count = Math.max(10, Math.round(most * seconds));
  const best = [Infinity, Infinity, Infinity];
  for (let i = 0; i < 3; i++) {
    const took = [await ours(size, count), await processSend(size, count), await workerMessages(size, count)];
    took.forEach((one, k) => (best[k] = Math.min(best[k], one)));
  }
  line(`send and receive ${size} B`, best[0], 'process.send', best[1]);
  line('', best[0], 'worker_threads, in one process', best[2]);
}

async function main() {
  console.log(`Node ${process.versions.node}, load ${os.loadavg()[0].toFixed(1)}`);
  const stream = new Stream(name('lock'), 64);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'));
  const lock = path.join(folder, 'lock');
  beside('tryLock and release', () => stream.tryLock().release(), 'mkdir and rmdir, a lock file', () => {
    fs.mkdirSync(lock);
    fs.rmdirSync(lock);
  });
  fs.rmdirSync(folder);
  beside('snapshot of 64 B', () => stream.snapshot());
  stream.close();
  const dict = new Dict(name('dict'), 1 << 20);
  const value = Buffer.alloc(64, 'v');
  dict.set('key', value);
  beside('get from a dict', () => dict.get('key'));
  beside('set in a dict', () => dict.set('key', value));
  dict.close();
  await flows(64, 100000);
  await flows(65536, 3000);
}

if (process.argv[2] === 'send') senders[process.argv[3]](process.argv[4], Number(process.argv[5]), Number(process.argv[6]));
else main();
