// SPDX-License-Identifier: MIT
'use strict';
// Collected, ended, left: handles go with their process, their worker, their object. Run with --expose-gc.
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { Worker } = require('node:worker_threads');
const { Channel, Stream, list } = require('..');
const { immediate, leavesNothing, name, start, until } = require('./help.js');

leavesNothing();

const region = (called) => list().find((one) => one.name.endsWith(called));
const members = (called) => region(called)?.members;

test('four locks that wait do not hold up the pool of libuv', async () => {
  const called = name();
  const holder = new Stream(called, 16);
  const section = await holder.lock();
  let got = 0;
  const waiters = Array.from({ length: 4 }, () => new Stream(called));
  const waits = waiters.map((stream) => stream.withLock(() => void got++));
  const files = await Promise.all(Array.from({ length: 8 }, () => fs.promises.readFile(__filename)));
  assert.strictEqual(files.length, 8);
  assert.strictEqual(got, 0);
  section.release();
  await Promise.all(waits);
  for (const stream of [holder, ...waiters]) stream.close();
});

test('a process whose waits have ended ends by itself, and leaves nothing', async () => {
  const called = name();
  const stream = new Stream(called, 16);
  const section = await stream.lock(); // until after its end
  const other = start('giveUp', called);
  assert.strictEqual(await other.says(), 'ERR_SHMS_TIMEOUT ABORT_ERR ERR_SHMS_TIMEOUT');
  assert.strictEqual(await other.ends, 0);
  assert.strictEqual(members(called), 1);
  assert.strictEqual(region(called + '-channel'), undefined);
  section.release();
  stream.close();
});

test('process.exit while a lock waits', async () => {
  const called = name();
  const stream = new Stream(called, 16);
  const section = await stream.lock();
  assert.strictEqual(await start('exit', called).ends, 3);
  assert.strictEqual(members(called), 1);
  section.release();
  (await stream.lock()).release();
  stream.close();
});

test('process.exit with handles, a buffer and an iterator open: nothing is left', async () => {
  const called = name();
  assert.strictEqual(await start('leave', called).ends, 0);
  assert.strictEqual(region(called), undefined);
  assert.strictEqual(region(called + '-channel'), undefined);
});

const inWorker = `
const { parentPort, workerData } = require('worker_threads');
const { Stream } = require(workerData.package);
const stream = new Stream(workerData.name);
const { buffer } = stream;
stream.changes().next();
stream.lock().then(() => parentPort.postMessage('got it'));
setImmediate(() => parentPort.postMessage('waits'));
if (workerData.ends) setTimeout(() => process.exit(), 20);
`;

test('a worker ends while its lock waits', async () => {
  const called = name();
  const stream = new Stream(called, 16);
  const section = await stream.lock();
  for (const ends of [false, true, false]) {
    const workerData = { package: require.resolve('..'), name: called, ends };
    const worker = new Worker(inWorker, { eval: true, workerData });
    assert.strictEqual(await new Promise((resolve) => worker.once('message', resolve)), 'waits');
    if (ends) await new Promise((resolve) => worker.once('exit', resolve));
    else await worker.terminate();
    assert.strictEqual(members(called), 1);
  }
  section.release();
  (await stream.lock()).release();
  stream.close();
});

test('a worker and the main thread count in one region', async () => {
  const called = name();
  const stream = new Stream(called, 4);
  const rounds = 300;
  const count = `
    const { workerData } = require('worker_threads');
    const { Stream } = require(workerData.package);
    (async () => {
      const stream = new Stream(workerData.name);
      for (let i = 0; i < ${rounds}; i++) await stream.withLock(() => stream.buffer.writeUInt32LE(stream.buffer.readUInt32LE() + 1));
    })();`;
  const worker = new Worker(count, { eval: true, workerData: { package: require.resolve('..'), name: called } });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  for (let i = 0; i < rounds; i++) await stream.withLock(() => stream.buffer.writeUInt32LE(stream.buffer.readUInt32LE() + 1));
  assert.strictEqual(await ended, 0);
  assert.strictEqual(stream.read().readUInt32LE(), 2 * rounds);
  stream.close();
});

test('what is collected is closed', { skip: !global.gc }, async () => {
  const called = name();
  const keeps = new Stream(called, 4096);
  const use = (from) => {
    for (let i = from; i < from + 100; i++) {
      const stream = new Stream(called);
      stream.buffer[i] = 1;
      stream.tryLock().release();
    }
  };
  for (let i = 0; i < 600; i += 100) { // more than a region has room for
    use(i);
    await until(() => (global.gc(), members(called) < 50));
  }
  await until(() => (global.gc(), members(called) === 1));
  assert.strictEqual(keeps.read(0, 600).indexOf(0), -1);
  keeps.close();
});

test('a buffer keeps its memory when the stream is collected', { skip: !global.gc }, async () => {
  const called = name();
  let view = (() => new Uint8Array(new Stream(called, 4096).buffer.buffer))();
  for (let i = 0; i < 20; i++) {
    global.gc();
    await immediate();
    view[i] = i;
  }
  assert.strictEqual(members(called), 1);
  view = null;
  await until(() => (global.gc(), region(called) === undefined));
});

test('collections in the middle of everything', { skip: !global.gc }, async () => {
  const called = name();
  const stream = new Stream(called, 64);
  const receiver = new Channel(called + 'c', 'receive', { size: 4096 });
  const sender = new Channel(called + 'c', 'send');
  for (let i = 0; i < 40; i++) {
    const section = await stream.lock();
    const wait = stream.lock();
    const message = receiver.receive();
    const change = stream.changes().next();
    global.gc();
    stream.write(`${i}`);
    section.release();
    await sender.send(`${i}`);
    global.gc();
    (await wait).release();
    assert.strictEqual((await message).toString(), `${i}`);
    await change;
  }
  for (const handle of [stream, receiver, sender]) handle.close();
});
