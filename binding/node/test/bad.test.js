// SPDX-License-Identifier: MIT
'use strict';
// Bad input: an exception, never a crash.
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const { Channel, codes, Dict, ShmsError, Stream, unlink } = require('..');
const addon = require('../lib/addon.js');
const { leavesNothing, name } = require('./help.js');

leavesNothing();

const type = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' };
const range = { name: 'RangeError', code: 'ERR_OUT_OF_RANGE' };
const closed = { name: 'ShmsError', code: 'ERR_SHMS_INVALID' };

test('all codes are the header\'s', { skip: !process.env.SHMS_HEADER }, () => {
  const header = fs.readFileSync(process.env.SHMS_HEADER, 'utf8');
  const rows = [...header.matchAll(/X\(SHMS_(\w+), (-?\d+), +"/g)].map((row) => [row[1], Number(row[2])]);
  assert.ok(rows.length > 20);
  assert.deepStrictEqual(codes, Object.fromEntries(rows));
});

test('names and options of open', () => {
  for (const value of [undefined, 5, {}, [], Symbol('x'), 5n]) assert.throws(() => new Stream(value, 16), type);
  for (const value of ['', 'a\\b', 'x'.repeat(300)]) assert.throws(() => new Stream(value, 16), { code: 'ERR_SHMS_INVALID' });
  assert.throws(() => new Stream('a\0b', 16), range);
  for (const value of [-1, 1.5, NaN, Infinity, 2 ** 60]) assert.throws(() => new Stream(name(), value), range);
  for (const value of ['16', null, {}, 16n]) assert.throws(() => new Stream(name(), value), type);
  assert.throws(() => new Stream(name(), 2 ** 52), { code: 'ERR_SHMS_NOSPACE' });
  assert.throws(() => new Stream(name()), { code: 'ERR_SHMS_NOT_FOUND' });
  for (const value of [null, 5, 'x']) assert.throws(() => new Stream(name(), 16, value), type);
  for (const o of [{ keep: 1 }, { atomic: 'no' }, { create: 5 }, { mode: '600' }]) assert.throws(() => new Stream(name(), 16, o), type);
  for (const o of [{ create: 'perhaps' }, { create: 'toString' }, { mode: -1 }, { maxSize: -5 }, { openTimeout: 2 ** 40 }]) {
    assert.throws(() => new Stream(name(), 16, o), range);
  }
  assert.throws(() => new Stream(name(), 16, { mode: 0o777 }), { code: 'ERR_SHMS_INVALID' });
  assert.throws(() => Stream('x', 16), TypeError);
  assert.throws(() => unlink(5), type);
  assert.throws(() => unlink(name()), { code: 'ERR_SHMS_NOT_FOUND' });
});

test('offsets, lengths and data', () => {
  const stream = new Stream(name(), 16);
  for (const value of [-1, 0.5, NaN, 2 ** 60]) {
    assert.throws(() => stream.read(value), range);
    assert.throws(() => stream.read(0, value), range);
    assert.throws(() => stream.write('x', value), range);
  }
  for (const value of ['0', null, {}, 1n]) {
    assert.throws(() => stream.read(value), type);
    assert.throws(() => stream.write('x', value), type);
  }
  for (const value of [undefined, null, 5, {}, [1], new ArrayBuffer(4), new Uint16Array(2), new DataView(new ArrayBuffer(4))]) {
    assert.throws(() => stream.write(value), type);
  }
  assert.throws(() => stream.write('x'.repeat(17)), { code: 'ERR_SHMS_RANGE' });
  assert.throws(() => stream.write('x', Number.MAX_SAFE_INTEGER), { code: 'ERR_SHMS_RANGE' });
  assert.strictEqual(stream.read(0, Number.MAX_SAFE_INTEGER).length, 16);
  const detached = new Uint8Array(8);
  structuredClone(detached, { transfer: [detached.buffer] });
  stream.write(detached); // nothing
  stream.write(new Uint8Array(new SharedArrayBuffer(4)));
  stream.close();
});

test('options of lock', async () => {
  const stream = new Stream(name(), 16);
  for (const timeout of [-1, NaN, 0.5, 2 ** 31]) await assert.rejects(stream.lock({ timeout }), range);
  for (const timeout of [null, '5', {}, 5n]) await assert.rejects(stream.lock({ timeout }), type);
  for (const signal of [null, {}, 5]) await assert.rejects(stream.lock({ signal }), type);
  for (const o of [null, 5, 'x']) await assert.rejects(stream.lock(o), type);
  for (const fn of [undefined, null, {}]) await assert.rejects(stream.withLock(fn), type);
  (await stream.lock({ timeout: Infinity })).release();
  stream.close();
});

test('what somebody has put into all objects is no option', async () => {
  Object.prototype.timeout = 'x';
  try {
    const stream = new Stream(name(), 16);
    (await stream.lock()).release();
    stream.close();
  } finally {
    delete Object.prototype.timeout;
  }
});

test('an openTimeout of 0 does not wait', () => {
  const called = name();
  const first = new Stream(called, 16);
  const section = first.tryLock();
  const took = (openTimeout) => {
    const stream = new Stream(called, 0, { openTimeout });
    const start = process.hrtime.bigint();
    assert.throws(() => stream.snapshot(), { code: 'ERR_SHMS_TIMEOUT' });
    stream.close();
    return process.hrtime.bigint() - start;
  };
  const patient = took(1000);
  assert.ok([0, 0, 0].some((openTimeout) => took(openTimeout) < patient)); // not the default of 5000
  section.release();
  first.close();
});

test('a callback that throws, or releases, or closes', async () => {
  const stream = new Stream(name(), 16);
  await assert.rejects(stream.withLock(() => { throw undefined; }), (error) => error === undefined);
  await stream.withLock((section) => section.release());
  await assert.rejects(stream.withLock((section) => { section.release(); throw new RangeError('x'); }), RangeError);
  await stream.withLock(() => stream.close());
  assert.strictEqual(stream.closed, true);
});

test('use after close', async () => {
  const stream = new Stream(name(), 16);
  const section = stream.tryLock();
  stream.close();
  stream.close();
  section.release();
  for (const use of [() => stream.tryLock(), () => stream.read(), () => stream.write('x'), () => stream.snapshot(), () => stream.size,
    () => stream.existed, () => stream.version, () => stream.notify(), () => stream.resize(5), () => section.repaired()]) {
    assert.throws(use, ShmsError);
  }
  await assert.rejects(stream.lock(), closed);
  await assert.rejects(stream.changes().next(), closed);
});

test('close ends what waits', async () => {
  const stream = new Stream(name(), 16);
  const section = await stream.lock();
  const waits = [stream.lock(), stream.lock(), stream.lockShared(), stream.changes().next()];
  stream.close();
  for (const wait of waits) await assert.rejects(wait, closed);
  section.release();
});

test('a reading handle', async () => {
  const called = name();
  const stream = new Stream(called, 16);
  const reader = new Stream(called, 0, { readOnly: true });
  assert.throws(() => reader.buffer, { code: 'ERR_SHMS_READ_ONLY' });
  assert.throws(() => reader.write('x'), { code: 'ERR_SHMS_READ_ONLY' });
  await reader.withLock(() => assert.strictEqual(reader.read().length, 16));
  reader.close();
  stream.close();
});

test('a runtime that takes no memory of others, as Electron: copies go on', () => {
  const stream = new Stream(name(), 16);
  addon.refuse(1);
  try {
    assert.throws(() => stream.buffer, { code: 'ERR_SHMS_NO_EXTERNAL' });
    stream.write('copied');
    assert.strictEqual(stream.read(0, 6).toString(), 'copied');
  } finally {
    addon.refuse(0);
  }
  assert.strictEqual(stream.buffer.length, 16);
  stream.close();
});

test('memory that is given away stays until it is collected', { skip: !ArrayBuffer.prototype.transfer }, async () => {
  const stream = new Stream(name(), 16);
  stream.write('mine');
  const away = new Uint8Array(stream.buffer.buffer.transfer());
  stream.close();
  assert.strictEqual(Buffer.from(away.slice(0, 4)).toString(), 'mine');
});

test('memory cannot be given to a worker: it is copied, or refused', () => {
  const stream = new Stream(name(), 16);
  const { port1 } = new MessageChannel();
  try {
    port1.postMessage(1, [stream.buffer.buffer]); // a DataCloneError since Node 21
  } catch (error) {
    assert.strictEqual(error.name, 'DataCloneError');
  }
  assert.strictEqual(stream.buffer.length, 16);
  stream.close();
  port1.close();
});

test('channels and dicts: wrong types and numbers', async () => {
  const called = name();
  for (const role of [undefined, 5, null]) assert.throws(() => new Channel(called, role, { size: 4096 }), type);
  assert.throws(() => new Channel(called, 'both', { size: 4096 }), range);
  assert.throws(() => new Channel(null, 'send', { size: 4096 }), type);
  assert.throws(() => new Channel(called, 'send', { size: -1 }), range);
  assert.throws(() => new Channel(called, 'send', { size: 4096, slow: 'drop' }), { code: 'ERR_SHMS_INVALID' });
  const channel = new Channel(called, 'send', { size: 4096 });
  for (const data of [undefined, 5, {}, []]) {
    assert.throws(() => channel.trySend(data), type);
    await assert.rejects(channel.send(data), type);
  }
  assert.throws(() => channel.trySend('x'.repeat(5000)), { code: 'ERR_SHMS_RANGE' });
  assert.throws(() => channel.tryReceive(), { code: 'ERR_SHMS_INVALID' });
  assert.throws(() => new Dict(called, 16384), { code: 'ERR_SHMS_KIND' });
  channel.close();
  channel.close();
  assert.throws(() => channel.trySend('x'), closed);
  await assert.rejects(channel.send('x'), closed);

  const dict = new Dict(called, 65536);
  for (const key of [undefined, 5, {}, null]) {
    assert.throws(() => dict.get(key), type);
    assert.throws(() => dict.set(key, 'x'), type);
    assert.throws(() => dict.tryLock(key), type);
  }
  for (const key of ['', 'k'.repeat(257), 'k'.repeat(100000)]) assert.throws(() => dict.set(key, 'x'), ShmsError);
  for (const value of [undefined, 5, {}]) assert.throws(() => dict.set('k', value), type);
  assert.throws(() => dict.add('k', 1.5), range);
  assert.throws(() => dict.add('k', 2n ** 63n), range);
  assert.throws(() => dict.add('k', 'x'), type);
  for (const o of [{ ifVersion: -1n }, { ifVersion: 1n, ifAbsent: true }, { ttl: -1 }, { ttl: 0 }, { expires: NaN }]) {
    assert.throws(() => dict.set('k', 'x', o), range);
  }
  assert.throws(() => dict.set('k', 'x', { ttl: 5, expires: 5 }), { code: 'ERR_SHMS_INVALID' });
  await assert.rejects(dict.changes({ since: -1n }).next(), ShmsError);
  dict.close();
  dict.close();
  for (const use of [() => dict.get('k'), () => dict.set('k', 'x'), () => [...dict], () => dict.version, () => dict.tryLock('k')]) {
    assert.throws(use, closed);
  }
  await assert.rejects(dict.lock('k'), closed);
});

test('the addon itself: nothing of what it is given makes it crash', () => {
  const values = [undefined, null, -1, 0, 1, 65536, 2 ** 32, NaN, '', 'x', 5n, -5n, {}, [], new Uint8Array(3), () => {}, Symbol('x')];
  for (const [called, call] of Object.entries(addon)) {
    if (typeof call !== 'function' || called === 'refuse') continue;
    for (const value of values) {
      for (let n = 0; n < 4; n++) {
        try {
          call(...Array(n).fill(value));
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      }
    }
  }
});
