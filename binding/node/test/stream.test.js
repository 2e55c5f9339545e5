// SPDX-License-Identifier: MIT
'use strict';
const test = require('node:test');
const assert = require('node:assert');
const { getEventListeners } = require('node:events');
const { list, Stream, unlink } = require('..');
const addon = require('../lib/addon.js');
const { immediate, leavesNothing, name, start } = require('./help.js');

leavesNothing();

test('visits: what one run wrote the next one finds', () => {
  const called = name();
  for (let visit = 1; visit <= 3; visit++) {
    const stream = new Stream(called, 4, { keep: true });
    assert.strictEqual(stream.existed, visit > 1);
    const section = stream.tryLock();
    const bytes = stream.read();
    bytes.writeUInt32LE(bytes.readUInt32LE() + 1);
    stream.write(bytes);
    section.release();
    assert.strictEqual(stream.snapshot().readUInt32LE(), visit);
    stream.close();
  }
  assert.strictEqual(list().find((region) => region.name.endsWith(called)).state, 'kept');
  unlink(called);
});

test('a lock that is held: a try gives null, a wait its time-out, and the lock when it is free', async () => {
  const called = name();
  const one = new Stream(called, 16);
  const two = new Stream(called);
  const section = one.tryLock();
  assert.strictEqual(two.tryLock(), null);
  assert.strictEqual(two.tryLockShared(), null);
  await assert.rejects(two.lock({ timeout: 0 }), { code: 'ERR_SHMS_TIMEOUT', name: 'ShmsError' });
  await assert.rejects(two.lock({ timeout: 20 }), { code: 'ERR_SHMS_TIMEOUT' });
  const later = two.lock();
  const second = two.lock({ timeout: 20 }); // in the queue behind it
  await assert.rejects(second, { code: 'ERR_SHMS_TIMEOUT' });
  section.release();
  section.release(); // nothing
  (await later).release();
  assert.throws(() => section.repaired(), { code: 'ERR_SHMS_NOT_OWNER' });
  assert.notStrictEqual(one.tryLock(), null);
  one.close();
  two.close();
});

test('one handle waits for itself; its tasks get the lock in their order', async () => {
  const stream = new Stream(name(), 16);
  const order = [];
  const first = await stream.lock();
  const tasks = [1, 2, 3, 4].map((i) => stream.withLock(() => void order.push(i)));
  first.release();
  await Promise.all(tasks);
  assert.deepStrictEqual(order, [1, 2, 3, 4]);
  stream.close();
});

test('shared locks side by side, and none beside an exclusive one', async () => {
  const stream = new Stream(name(), 16);
  const readers = [await stream.lockShared(), await stream.lockShared(), stream.tryLockShared()];
  assert.strictEqual(stream.tryLock(), null);
  const writer = stream.lock();
  for (const reader of readers) reader.release();
  const section = await writer;
  assert.strictEqual(stream.tryLockShared(), null);
  section.release();
  stream.close();
});

test('AbortSignal ends a wait, and what comes too late is given back', async () => {
  const stream = new Stream(name(), 16);
  const section = await stream.lock();
  const control = new AbortController();
  const waits = [stream.lock({ signal: control.signal }), stream.lock({ signal: control.signal })];
  const why = new Error('why');
  control.abort(why);
  for (const wait of waits) await assert.rejects(wait, { name: 'AbortError', code: 'ABORT_ERR', cause: why });
  await assert.rejects(stream.lock({ signal: control.signal }), { name: 'AbortError' });
  const late = new AbortController();
  const wait = stream.lock({ signal: late.signal });
  section.release(); // the thread gets it, and it is aborted before that is told
  late.abort();
  await assert.rejects(wait, { name: 'AbortError' });
  (await stream.lock()).release();
  stream.close();
});

test('many that wait with one signal give it one listener', async () => {
  const stream = new Stream(name(), 16);
  const section = await stream.lock();
  const control = new AbortController();
  const waits = Array.from({ length: 20 }, () => stream.lock({ signal: control.signal, timeout: 10 }));
  assert.strictEqual(getEventListeners(control.signal, 'abort').length, 1);
  for (const wait of waits) await assert.rejects(wait, { code: 'ERR_SHMS_TIMEOUT' });
  assert.strictEqual(getEventListeners(control.signal, 'abort').length, 0);
  section.release();
  stream.close();
});

test('withLock: what throws is rolled back where the region is atomic; elsewhere the lock is free again', async () => {
  for (const atomic of [true, false]) {
    const stream = new Stream(name(), 16, { atomic });
    const gone = stream.withLock(() => {
      stream.write('half');
      throw new Error('on the way');
    });
    await assert.rejects(gone, { message: 'on the way' });
    assert.strictEqual(stream.read(0, 4).toString(), atomic ? '\0\0\0\0' : 'half');
    assert.strictEqual(await stream.withLock(() => 5), 5);
    const section = stream.tryLock();
    section.rollback(); // nothing was written
    section.release();
    assert.throws(() => section.rollback(), { code: 'ERR_SHMS_NOT_OWNER' });
    stream.close();
  }
});

test('the owner is killed: the next one is told, until it is repaired', async () => {
  const called = name();
  const stream = new Stream(called, 16);
  assert.strictEqual(await start('die', called).ends, 'SIGKILL');
  let section = await stream.lock();
  assert.strictEqual(section.ownerDied, true);
  assert.strictEqual(stream.read(0, 4).toString(), 'half');
  section.release();
  assert.throws(() => stream.snapshot(), { code: 'ERR_SHMS_CORRUPT' });
  section = await stream.lock();
  assert.strictEqual(section.ownerDied, true);
  section.repaired();
  section.release();
  section = await stream.lock();
  assert.strictEqual(section.ownerDied, false);
  stream.close();
});

test('the owner of an atomic section is killed: it never was', async () => {
  const called = name();
  const stream = new Stream(called, 16, { atomic: true });
  await stream.withLock(() => stream.write('whole'));
  assert.strictEqual(await start('die', called).ends, 'SIGKILL');
  const section = await stream.lock();
  assert.strictEqual(section.ownerDied, false);
  assert.strictEqual(stream.read(0, 5).toString(), 'whole');
  stream.close();
});

test('two processes with four tasks each: the count is exact', async () => {
  const called = name();
  const stream = new Stream(called, 4);
  const both = [start('count', called, 4, 300), start('count', called, 4, 300)];
  for (const one of both) assert.strictEqual(await one.ends, 0);
  assert.strictEqual(stream.snapshot().readUInt32LE(), 2400);
  stream.close();
});

test('changes of another process are told, and the version moves', async () => {
  const called = name();
  const stream = new Stream(called, 16);
  const other = start('hold', called);
  assert.strictEqual(await other.says(), 'held');
  const before = stream.version;
  const changes = stream.changes();
  const next = changes.next();
  other.child.stdin.write('go on\n');
  const { value, done } = await next;
  assert.strictEqual(done, false);
  assert.ok(value > before);
  assert.strictEqual(stream.read(0, 5).toString(), 'later');
  assert.strictEqual(await other.ends, 0);
  await changes.return();
  const control = new AbortController();
  const ended = stream.changes({ signal: control.signal }).next();
  control.abort();
  await assert.rejects(ended, { name: 'AbortError' });
  stream.close();
});

test('it is the descriptor that tells of a change, not the look once a second', async () => {
  const called = name();
  const stream = new Stream(called, 16);
  const other = start('hold', called);
  assert.strictEqual(await other.says(), 'held');
  const real = global.setTimeout;
  global.setTimeout = () => undefined; // never
  try {
    const next = stream.changes().next();
    other.child.stdin.write('go on\n');
    assert.strictEqual((await next).done, false);
  } finally {
    global.setTimeout = real;
  }
  assert.strictEqual(await other.ends, 0);
  stream.close();
});

test('where there is no descriptor more to be had, changes are told all the same', async () => {
  const stream = new Stream(name(), 16);
  addon.refuse(2);
  try {
    const next = stream.changes().next();
    await new Promise(setImmediate);
    await stream.withLock(() => stream.write('x'));
    assert.strictEqual((await next).value, stream.version);
  } finally {
    addon.refuse(0);
  }
  stream.close();
});

test('return() ends what the iterator of changes waits for', async () => {
  const stream = new Stream(name(), 16);
  const changes = stream.changes();
  const next = changes.next();
  await immediate();
  assert.deepStrictEqual(await changes.return(), { value: undefined, done: true });
  assert.deepStrictEqual(await next, { value: undefined, done: true });
  stream.close();
});

test('several that wait for one change all see it', async () => {
  const stream = new Stream(name(), 16);
  const waits = [stream.changes().next(), stream.changes().next(), stream.changes().next()];
  await stream.withLock(() => stream.write('x'));
  const versions = (await Promise.all(waits)).map((next) => next.value);
  assert.deepStrictEqual(versions, [stream.version, stream.version, stream.version]);
  stream.close();
});

test('the buffer is the memory; one a handle; of length 0 after close', () => {
  const called = name();
  const one = new Stream(called, 4096);
  const two = new Stream(called);
  const { buffer } = one;
  assert.strictEqual(one.buffer, buffer);
  buffer.write('seen', 100);
  assert.strictEqual(two.read(100, 4).toString(), 'seen');
  const view = new Uint8Array(buffer.buffer, 100, 4);
  one.close();
  assert.strictEqual(buffer.length, 0);
  assert.strictEqual(view.length, 0);
  assert.strictEqual(buffer[0], undefined);
  assert.strictEqual(one.buffer.length, 0);
  two.close();
  assert.strictEqual(two.buffer.length, 0);
});

test('resize: the buffer follows, and the one before is empty', () => {
  const stream = new Stream(name(), 4096, { maxSize: 1 << 20 });
  const small = stream.buffer;
  const section = stream.tryLock();
  stream.resize(65536);
  assert.throws(() => stream.resize(2 << 20), { code: 'ERR_SHMS_RANGE' });
  section.release();
  assert.throws(() => stream.resize(8192), { code: 'ERR_SHMS_NOT_OWNER' });
  assert.strictEqual(stream.size, 65536);
  assert.strictEqual(stream.buffer.length, 65536);
  assert.strictEqual(small.length, 0);
  stream.close();
});

test('a region without a name, and a snapshot inside its own section', () => {
  const stream = new Stream(null, 64);
  const section = stream.tryLock();
  stream.write('mine', 60);
  assert.strictEqual(stream.snapshot(60).toString(), 'mine');
  assert.strictEqual(stream.read(64).length, 0);
  assert.strictEqual(stream.read(1000, 5).length, 0);
  section.release();
  stream.close();
});

test('a lock that was got while its handle is closed is given back', async () => {
  const called = name();
  const one = new Stream(called, 16);
  const two = new Stream(called);
  const section = await one.lock();
  const wait = two.lock();
  section.release();
  while (!list().find((region) => region.name.endsWith(called)).locked); // the thread gets it; this one hears of it later
  two.close();
  await assert.rejects(wait, { code: 'ERR_SHMS_INVALID' });
  assert.strictEqual(one.tryLock().ownerDied, false);
  one.close();
});

test('locks in a loop let the loop of events have its turns', async () => {
  const stream = new Stream(name(), 16);
  let turns = 0;
  let done = false;
  const turn = () => {
    turns++;
    if (!done) setImmediate(turn);
  };
  setImmediate(turn);
  for (let i = 0; i < 3000; i++) (await stream.lock()).release();
  done = true;
  assert.ok(turns >= 3000 / 64, `${turns} turns`);
  stream.close();
});

test('a try in a loop does not keep the lock from a process that waits', async () => {
  const called = name();
  const stream = new Stream(called, 16);
  const other = start('hold', called);
  let told = false;
  other.says().then(() => {
    told = true;
    other.child.stdin.write('go on\n');
  });
  while (!told) (await stream.lock()).release();
  assert.strictEqual(await other.ends, 0);
  stream.close();
});
