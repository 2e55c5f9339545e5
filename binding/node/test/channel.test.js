// SPDX-License-Identifier: MIT
'use strict';
const test = require('node:test');
const assert = require('node:assert');
const { pipeline } = require('node:stream/promises');
const { Transform } = require('node:stream');
const { Channel } = require('..');
const { immediate, leavesNothing, name, start, until } = require('./help.js');

leavesNothing();

const both = (options) => {
  const called = name();
  return [new Channel(called, 'receive', { size: 4096, ...options }), new Channel(called, 'send')];
};

test('messages of every length arrive whole, in their order', async () => {
  const [receiver, sender] = both({ size: 1 << 20 });
  const lengths = [0, 1, 15, 16, 64, 4095, 16384, 16385, 100000];
  for (const length of lengths) assert.strictEqual(sender.trySend(Buffer.alloc(length, length % 251)), true);
  for (const length of lengths) assert.deepStrictEqual(receiver.tryReceive(), Buffer.alloc(length, length % 251));
  assert.strictEqual(receiver.tryReceive(), undefined);
  await assert.rejects(receiver.receive({ timeout: 0 }), { code: 'ERR_SHMS_TIMEOUT' });
  await assert.rejects(receiver.receive({ timeout: 20 }), { code: 'ERR_SHMS_TIMEOUT' });
  sender.close();
  assert.strictEqual(receiver.tryReceive(), null);
  assert.strictEqual(await receiver.receive(), null);
  receiver.close();
});

test('two processes: a receiver that waits, an end that is told', async () => {
  const called = name();
  const receiver = new Channel(called, 'receive', { size: 4096 });
  const other = start('send', called, 5000);
  let i = 0;
  for await (const message of receiver) assert.strictEqual(message.toString(), `message ${i++}`);
  assert.strictEqual(i, 5000);
  assert.strictEqual(await other.ends, 0);
  receiver.close();
});

test('a sender that is killed is told as such', async () => {
  const called = name();
  const receiver = new Channel(called, 'receive', { size: 4096 });
  const other = start('sendAndDie', called);
  assert.strictEqual((await receiver.receive()).toString(), 'last words');
  await assert.rejects(receiver.receive(), { code: 'ERR_SHMS_DIED' });
  assert.strictEqual(await other.ends, 'SIGKILL');
  receiver.close();
});

test('a full ring: senders wait in their order, and what they send was copied', async () => {
  const [receiver, sender] = both();
  while (sender.trySend(Buffer.alloc(512)));
  await assert.rejects(sender.send('x'.repeat(512), { timeout: 20 }), { code: 'ERR_SHMS_TIMEOUT' });
  const control = new AbortController();
  const aborted = sender.send('aborted'.repeat(80), { signal: control.signal });
  const bytes = Buffer.alloc(600, 'a');
  const sent = [sender.send(bytes), sender.send('b'.repeat(600)), sender.send('c')];
  bytes.fill('z');
  control.abort();
  await assert.rejects(aborted, { name: 'AbortError' });
  const got = [];
  while (got.length < 3) {
    const message = await receiver.receive();
    if (message[0] !== 0) got.push(message.toString()[0]);
  }
  await Promise.all(sent);
  assert.deepStrictEqual(got, ['a', 'b', 'c']);
  sender.close();
  receiver.close();
});

test('receivers that wait get messages in their order', async () => {
  const [receiver, sender] = both();
  const waits = [receiver.receive(), receiver.receive(), receiver.receive()];
  for (const text of ['1', '2', '3']) await sender.send(text);
  assert.deepStrictEqual((await Promise.all(waits)).map(String), ['1', '2', '3']);
  sender.close();
  receiver.close();
});

test('a fast sender does not keep the loop of events from its turns', async () => {
  const [receiver, sender] = both({ size: 1 << 20 });
  while (sender.trySend('x'));
  sender.close();
  let turns = 0;
  let done = false;
  const turn = () => {
    turns++;
    if (!done) setImmediate(turn);
  };
  setImmediate(turn);
  let messages = 0;
  for await (const message of receiver) messages += message.length;
  done = true;
  assert.ok(messages > 1000);
  assert.ok(turns > messages / 256, `${turns} turns in ${messages} messages`);
  receiver.close();
});

test('a broadcast reaches all; who is too slow is told what was missed', async () => {
  const called = name();
  const options = { size: 4096, kind: 'broadcast', slow: 'drop' };
  const receivers = [1, 2].map(() => new Channel(called, 'receive', options));
  const sender = new Channel(called, 'send');
  await sender.send('to all');
  for (const receiver of receivers) assert.strictEqual((await receiver.receive()).toString(), 'to all');
  for (let i = 0; i < 200; i++) await sender.send(Buffer.alloc(64, i));
  await assert.rejects(receivers[0].receive(), (error) => error.code === 'ERR_SHMS_MISSED' && error.missed > 100n);
  const message = await receivers[0].receive();
  assert.ok(message[0] > 100);
  assert.strictEqual(receivers[0].message.number, BigInt(message[0] + 2));
  assert.strictEqual(sender.info.kind, 'broadcast');
  assert.strictEqual(sender.info.slow, 'drop');
  for (const handle of [...receivers, sender]) handle.close();
});

test('an iterator that is returned takes no message', async () => {
  const [receiver, sender] = both();
  const iterator = receiver[Symbol.asyncIterator]();
  const next = iterator.next();
  await immediate();
  await iterator.return();
  sender.trySend('not lost');
  assert.deepStrictEqual(await next, { value: undefined, done: true });
  assert.strictEqual(receiver.tryReceive().toString(), 'not lost');
  receiver.close();
  sender.close();
});

test('notify and close end waits', async () => {
  const [receiver, sender] = both();
  const wait = receiver.receive();
  sender.notify(); // it looks again, and goes on to wait
  await immediate();
  const waits = [wait, receiver.receive()];
  receiver.close();
  for (const one of waits) await assert.rejects(one, { code: 'ERR_SHMS_INVALID' });
  sender.close();
});

test('as streams of Node: chunks are messages, and the end is passed on', async () => {
  const [receiver, sender] = both();
  const out = sender.writable();
  const got = [];
  const into = pipeline(receiver.readable(), new Transform({
    writableObjectMode: true,
    transform: (message, encoding, done) => void (got.push(message.toString()), done()),
  }));
  for (let i = 0; i < 300; i++) {
    if (!out.write(`line ${i}`)) await new Promise((resolve) => out.once('drain', resolve));
  }
  out.end('last');
  await into;
  assert.strictEqual(got.length, 301);
  assert.strictEqual(got[300], 'last');
  assert.strictEqual(sender.closed, true);
  assert.strictEqual(receiver.closed, true);
});

test('a readable that is destroyed closes the channel', async () => {
  const [receiver, sender] = both();
  const readable = receiver.readable();
  readable.on('data', () => {});
  await immediate();
  const ended = new Promise((resolve) => readable.once('close', resolve));
  readable.destroy();
  await ended;
  assert.strictEqual(receiver.closed, true);
  sender.close();
});

test('a message that is peeked is delivered again unless it is released', async () => {
  const called = name();
  const receivers = [1, 2].map(() => new Channel(called, 'receive', { size: 4096 }));
  const sender = new Channel(called, 'send');
  assert.strictEqual(receivers[0].tryPeek(), undefined);
  const wait = receivers[0].peek();
  await sender.send('job');
  const job = await wait;
  assert.deepStrictEqual([job.data.toString(), job.tries], ['job', 0]);
  assert.strictEqual(receivers[1].tryPeek(), undefined, 'it is not for another one');
  job.abort();
  const again = receivers[1].tryPeek();
  assert.deepStrictEqual([again.data.toString(), again.tries, receivers[1].message.tries], ['job', 1, 1]);
  again.release();
  again.release(); // nothing
  again.abort(); // nothing
  for (const receiver of receivers) assert.strictEqual(receiver.tryPeek(), undefined);
  sender.trySend('left');
  const left = receivers[0].tryPeek();
  receivers[0].close(); // puts it back
  left.abort(); // nothing
  assert.strictEqual((await receivers[1].receive()).toString(), 'left');
  sender.trySend('late');
  const late = receivers[1].tryPeek();
  receivers[1].close();
  assert.throws(() => late.release(), { code: 'ERR_SHMS_INVALID' });
  const last = new Channel(called, 'receive');
  assert.strictEqual(last.tryPeek().tries, 1);
  last.close();
  assert.throws(() => sender.tryPeek(), { code: 'ERR_SHMS_INVALID' });
  await assert.rejects(sender.peek());
  sender.close();
});

test('messages of every length are peeked whole', () => {
  const [receiver, sender] = both({ size: 1 << 20 });
  for (const length of [0, 1, 64, 16384, 16385, 100000]) {
    sender.trySend(Buffer.alloc(length, length % 251));
    const message = receiver.tryPeek();
    assert.deepStrictEqual(message.data, Buffer.alloc(length, length % 251));
    message.release();
  }
  assert.strictEqual(receiver.info.received, 6);
  sender.close();
  receiver.close();
});

test('what a handle has peeked holds up what waits through it, in their order', async () => {
  const [receiver, sender] = both();
  for (const text of ['1', '2', '3', '4']) sender.trySend(text);
  const first = await receiver.peek();
  assert.strictEqual(receiver.tryPeek(), undefined);
  assert.strictEqual(receiver.tryReceive(), undefined);
  await assert.rejects(receiver.peek({ timeout: 20 }), { code: 'ERR_SHMS_TIMEOUT' });
  await assert.rejects(receiver.receive({ timeout: 0 }), { code: 'ERR_SHMS_TIMEOUT' });
  const control = new AbortController();
  const aborted = receiver.peek({ signal: control.signal });
  const waits = [receiver.peek(), receiver.receive()];
  control.abort();
  await assert.rejects(aborted, { name: 'AbortError' });
  first.release();
  const second = await waits[0];
  assert.strictEqual(second.data.toString(), '2');
  second.release();
  assert.strictEqual((await waits[1]).toString(), '3');
  assert.strictEqual((await receiver.receive()).toString(), '4');
  sender.close();
  assert.strictEqual(receiver.tryPeek(), null);
  assert.strictEqual(await receiver.peek(), null);
  receiver.close();
});

test('a job of a worker that is killed is delivered to the next one', async () => {
  const called = name();
  const receiver = new Channel(called, 'receive', { size: 4096 });
  const sender = new Channel(called, 'send');
  await sender.send('job');
  const other = start('peekAndDie', called);
  assert.strictEqual(await other.says(), 'peeked job 0');
  assert.strictEqual(await other.ends, 'SIGKILL');
  const job = await receiver.peek();
  assert.deepStrictEqual([job.data.toString(), job.tries], ['job', 1]);
  job.release();
  assert.strictEqual(receiver.info.redelivered, 1);
  sender.close();
  receiver.close();
});

test('a message that nobody has any more is put back', async () => {
  const [receiver, sender] = both();
  sender.trySend('job');
  receiver.tryPeek();
  let again;
  await until(() => {
    globalThis.gc();
    again = receiver.tryPeek();
    return again !== undefined;
  });
  assert.strictEqual(again.tries, 1);
  again.release();
  sender.close();
  receiver.close();
});

test('of a broadcast, release tells what was overwritten meanwhile', async () => {
  const called = name();
  const receiver = new Channel(called, 'receive', { size: 4096, kind: 'broadcast', slow: 'drop' });
  const sender = new Channel(called, 'send');
  sender.trySend('first');
  const first = receiver.tryPeek();
  assert.strictEqual(first.number, 1n);
  for (let i = 0; i < 200; i++) sender.trySend(Buffer.alloc(64));
  assert.throws(() => first.release(), { code: 'ERR_SHMS_MISSED' });
  assert.strictEqual(first.data.toString(), 'first', 'it is a copy');
  sender.close();
  receiver.close();
});
