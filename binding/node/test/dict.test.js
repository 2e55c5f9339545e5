// SPDX-License-Identifier: MIT
'use strict';
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { runInNewContext } = require('node:vm');
const { Dict } = require('..');
const { immediate, leavesNothing, name } = require('./help.js');

leavesNothing();

test('records: set, get, delete, walk', () => {
  const called = name();
  const dict = new Dict(called, 1 << 20, { valueMax: 100000 });
  const other = new Dict(called);
  const first = dict.set('colour', 'blue');
  assert.strictEqual(other.get('colour').toString(), 'blue');
  assert.deepStrictEqual(other.getRecord('colour'), { value: Buffer.from('blue'), version: first, expires: null });
  dict.set('empty', '');
  assert.strictEqual(other.get('empty').length, 0);
  assert.strictEqual(other.has('empty'), true);
  const large = Buffer.alloc(90000, 'l'); // more than the room that a get begins with
  dict.set(Buffer.from('ключ'), large);
  assert.deepStrictEqual(other.get('ключ'), large);
  assert.deepStrictEqual(other.getRecord('ключ').value, large);
  assert.deepStrictEqual([...other.keys()].sort(), ['colour', 'empty', 'ключ']);
  assert.deepStrictEqual(new Map(other).get('ключ'), large);
  assert.strictEqual([...other.values()].length, 3);
  assert.strictEqual(dict.delete('empty'), true);
  assert.strictEqual(dict.delete('empty'), false);
  assert.strictEqual(other.get('empty'), undefined);
  assert.strictEqual(other.getRecord('empty'), undefined);
  assert.strictEqual(other.has('empty'), false);
  assert.strictEqual(dict.info.records, 2);
  other.close();
  dict.close();
});

test('conditions and counters', () => {
  const dict = new Dict(name(), 65536);
  const version = dict.set('k', '1', { ifAbsent: true });
  assert.throws(() => dict.set('k', '2', { ifAbsent: true }), { code: 'ERR_SHMS_EXISTS' });
  const next = dict.set('k', '2', { ifVersion: version });
  assert.ok(next > version);
  assert.throws(() => dict.set('k', '3', { ifVersion: version }), { code: 'ERR_SHMS_CHANGED' });
  assert.throws(() => dict.delete('k', { ifVersion: version }), { code: 'ERR_SHMS_CHANGED' });
  assert.strictEqual(dict.delete('k', { ifVersion: next }), true);
  assert.strictEqual(dict.add('n'), 1n);
  assert.strictEqual(dict.add('n', -5), -4n);
  assert.strictEqual(dict.add('m', 1, { start: 100n }), 101n);
  assert.throws(() => dict.add('m', 2n ** 63n - 1n), { code: 'ERR_SHMS_RANGE' });
  assert.strictEqual(dict.get('n').readBigInt64LE(), -4n);
  dict.close();
});

test('expiry', async () => {
  const dict = new Dict(name(), 65536);
  const when = new Date(Date.now() + 3600000);
  dict.set('later', 'x', { expires: when });
  assert.deepStrictEqual(dict.getRecord('later').expires, when);
  dict.set('elsewhere', 'x', { expires: runInNewContext(`new Date(${when.getTime()})`) });
  assert.deepStrictEqual(dict.getRecord('elsewhere').expires, when);
  for (const expires of [new Date(1), new Date(0), 0, new Date(-1000)]) { // long ago, not never
    dict.set('gone', 'x', { expires });
    assert.strictEqual(dict.get('gone'), undefined);
  }
  dict.set('soon', 'x', { ttl: 1 });
  while (dict.has('soon')) await new Promise(setImmediate);
  dict.close();
});

test('return() ends what the iterator of changes waits for', async () => {
  const dict = new Dict(name(), 65536);
  const changes = dict.changes();
  const next = changes.next();
  await immediate();
  assert.deepStrictEqual(await changes.return(5), { value: 5, done: true });
  assert.deepStrictEqual(await next, { value: undefined, done: true });
  dict.close();
});

test('a full dict says so, or evicts', () => {
  const dict = new Dict(name(), 16384);
  assert.throws(() => {
    for (let i = 0; i < 1000; i++) dict.set(`k${i}`, 'x'.repeat(200));
  }, { code: 'ERR_SHMS_FULL' });
  dict.close();
  const cache = new Dict(name(), 16384, { evict: 'lru' });
  for (let i = 0; i < 1000; i++) cache.set(`k${i}`, 'x'.repeat(200));
  assert.ok(cache.info.evicted > 0);
  cache.close();
});

test('changes come in their order', async () => {
  const called = name();
  const dict = new Dict(called, 65536);
  const other = new Dict(called, 0, { keys: 'buffer' });
  const changes = dict.changes();
  const next = changes.next();
  other.set('a', '1');
  other.set(Buffer.from([0xff]), '2');
  other.delete('a');
  assert.deepStrictEqual((await next).value.gone, false);
  const told = [];
  for (const end = other.version; told.at(-1)?.version !== end; ) told.push((await changes.next()).value);
  assert.deepStrictEqual(told.at(-1), { key: 'a', version: other.version, gone: true, expired: false, evicted: false });
  assert.deepStrictEqual([...other.keys()], [Buffer.from([0xff])]);
  await changes.return();
  const control = new AbortController();
  const ended = dict.changes({ signal: control.signal }).next();
  control.abort();
  await assert.rejects(ended, { name: 'AbortError' });
  for (let i = 0; i < 5000; i++) other.add('n');
  await assert.rejects(dict.changes({ since: 1n }).next(), { code: 'ERR_SHMS_MISSED' });
  other.close();
  dict.close();
});

test('locks of keys: each for itself, in their order, with time-outs and signals', async () => {
  const called = name();
  const dict = new Dict(called, 65536);
  const other = new Dict(called);
  const a = dict.tryLock('a');
  const b = await dict.lock('b');
  assert.strictEqual(dict.tryLock('a'), null);
  assert.strictEqual(other.tryLock('a'), null);
  await assert.rejects(other.lock('a', { timeout: 20 }), { code: 'ERR_SHMS_TIMEOUT' });
  await assert.rejects(dict.lock('a', { timeout: 0 }), { code: 'ERR_SHMS_TIMEOUT' });
  const control = new AbortController();
  const aborted = other.lock('a', { signal: control.signal });
  control.abort();
  await assert.rejects(aborted, { name: 'AbortError' });
  const order = [];
  const waits = [1, 2, 3].map(async (i) => {
    const lock = await dict.lock('a');
    order.push(i);
    lock.release();
  });
  const elsewhere = other.lock(Buffer.from('b')); // the same key
  b.release();
  b.release(); // nothing
  (await elsewhere).release();
  a.release();
  await Promise.all(waits);
  assert.deepStrictEqual(order, [1, 2, 3]);
  assert.strictEqual(dict.info.locks, 0);
  const last = await dict.lock('a');
  const wait = other.lock('a');
  const local = dict.lock('a');
  other.close();
  await assert.rejects(wait, { code: 'ERR_SHMS_INVALID' });
  dict.close();
  await assert.rejects(local, { code: 'ERR_SHMS_INVALID' });
  last.release();
});

test('a dict as a file', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shms-node-'));
  const file = path.join(folder, 'saved');
  const dict = new Dict(name(), 65536);
  dict.set('colour', 'blue');
  dict.set('shape', 'round');
  assert.strictEqual(dict.saveFileSync(file), 2);
  const other = new Dict(name(), 65536);
  other.set('colour', 'red');
  other.set('size', 'large');
  assert.strictEqual(other.loadFileSync(file), 2);
  assert.deepStrictEqual([other.get('colour').toString(), [...other.keys()].length], ['blue', 3]);
  fs.writeFileSync(file, 'no dict');
  assert.throws(() => other.loadFileSync(file), { code: 'ERR_SHMS_FORMAT' });
  fs.rmSync(folder, { recursive: true });
  assert.throws(() => other.loadFileSync(file), { code: 'ERR_SHMS_NOT_FOUND' });
  assert.throws(() => other.saveFileSync(file), { code: 'ERR_SHMS_NOT_FOUND' });
  for (const path of [undefined, null, 5, {}]) assert.throws(() => other.saveFileSync(path), TypeError);
  assert.throws(() => other.loadFileSync('a\0b'), RangeError);
  other.close();
  dict.close();
  assert.throws(() => dict.saveFileSync(file), { code: 'ERR_SHMS_INVALID' });
});
