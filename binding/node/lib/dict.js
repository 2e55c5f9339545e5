// SPDX-License-Identifier: MIT
'use strict';
const addon = require('./addon.js');
const check = require('./check.js');
const { checked, codes } = require('./errors.js');
const { NamedLocks } = require('./locks.js');
const { collected, endable, PollQueue } = require('./requests.js');
const room = require('./room.js');
const { dispose } = require('./stream.js');

const KEY = 2; // what is locked, as the addon is told
const policies = { none: 1, lru: 2 };
const encodings = { utf8: 0, buffer: 1 };
const GONE = 1;
const EXPIRED = 2;
const EVICTED = 4;
const most32 = 2 ** 32 - 1;
const NS_PER_MS = 1000000n;
const nothing = Buffer.alloc(0);

/** [ifVersion, expires in nanoseconds, ttl] of { ifVersion, ifAbsent, expires, ttl }. */
function howOf(options) {
  const o = check.options(options);
  const ifVersion = check.flag(o.ifAbsent, 'ifAbsent') ? -1n : check.whole64(o.ifVersion, 'ifVersion', 0n);
  if (o.ifVersion !== undefined && ifVersion < 1n) throw check.outOfRange('ifVersion', 'a version, and not beside ifAbsent', o.ifVersion);
  const expires = o.expires === undefined ? 0 : check.moment(o.expires, 'expires');
  return [ifVersion, BigInt(expires) * NS_PER_MS, check.whole(o.ttl, 'ttl', 0, Number.MAX_SAFE_INTEGER, 1)];
}

const dateOf = (expires_ns) => (expires_ns === 0n ? null : new Date(Number(expires_ns / NS_PER_MS)));

/** What tells a key from others, and the key, which is the caller's to change. */
function named(key) {
  if (typeof key === 'string') return [Buffer.from(key).toString('latin1'), key];
  const kept = Buffer.from(key);
  return [kept.toString('latin1'), kept];
}

class Dict {
  #id;
  #locks;
  #waits;
  #asBuffer;

  constructor(name, size = 0, options) {
    const o = check.options(options);
    const opening = check.opening(o);
    this.#asBuffer = check.choice(o.keys, 'keys', encodings) === encodings.buffer;
    this.#id = checked(
      addon.openDict(check.text(name, 'name'), check.whole(size, 'size'), check.flag(o.readOnly, 'readOnly'),
        opening.create, opening.mode, check.whole(o.maxSize, 'maxSize', 0), opening.openTimeout,
        check.whole(o.cellSize, 'cellSize', 0, most32), check.whole(o.ring, 'ring', 0, most32),
        o.evict === undefined ? 0 : check.choice(o.evict, 'evict', policies),
        check.whole(o.keyMax, 'keyMax', 0, most32), check.whole(o.valueMax, 'valueMax', 0, most32), opening.keep),
      'open',
    );
    const id = this.#id;
    this.#locks = new NamedLocks(id, KEY, addon.dictLock, addon.dictUnlock);
    this.#waits = new PollQueue(id, (seen) => {
      const version = addon.dictChanged(id, seen);
      return version === codes.E_TIMEOUT ? undefined : checked(version, 'wait');
    }, { inOrder: false });
    collected.register(this, id, this);
  }

  #named(key) {
    return this.#asBuffer ? key : key.toString();
  }

  // ---- records

  get(key) {
    check.key(key);
    for (;;) {
      const n = addon.dictGet(this.#id, key, room.bytes);
      if (n === codes.E_NOT_FOUND) return undefined;
      if (checked(n, 'get') <= room.bytes.length) return room.copy(n);
      room.grow(n);
    }
  }

  getRecord(key) {
    const record = addon.dictRecord(this.#id, check.key(key));
    if (record === codes.E_NOT_FOUND) return undefined;
    const [value, version, expires] = checked(record, 'get');
    return { value, version, expires: dateOf(expires) };
  }

  has(key) {
    const size = addon.dictGet(this.#id, check.key(key), nothing);
    return size !== codes.E_NOT_FOUND && checked(size, 'has') >= 0;
  }

  set(key, value, options) {
    return checked(addon.dictSet(this.#id, check.key(key), check.bytes(value, 'value'), ...howOf(options)), 'set');
  }

  /** Whether there was a record. */
  delete(key, options) {
    const [ifVersion] = howOf(options);
    const version = addon.dictDel(this.#id, check.key(key), ifVersion);
    return version !== codes.E_NOT_FOUND && checked(version, 'delete') > 0n;
  }

  add(key, delta = 1n, options) {
    const from = check.whole64(check.options(options).start, 'start', 0n);
    return checked(addon.dictAdd(this.#id, check.key(key), check.whole64(delta, 'delta'), from, ...howOf(options)), 'add');
  }

  *records() {
    for (let row, cursor = 0n; (row = checked(addon.dictNext(this.#id, cursor), 'next')) !== 0; ) {
      cursor = row[0];
      yield { key: this.#named(row[1]), value: row[2], version: row[3], expires: dateOf(row[4]) };
    }
  }

  *keys() {
    for (const record of this.records()) yield record.key;
  }

  *values() {
    for (const record of this.records()) yield record.value;
  }

  *entries() {
    for (const record of this.records()) yield [record.key, record.value];
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  // ---- changes

  get version() {
    return checked(addon.dictVersion(this.#id), 'version');
  }

  /** Changes as they come. ERR_SHMS_MISSED: more than the dict remembers; walk over the records, and begin anew. */
  changes(options) {
    return endable((stop) => this.#changes(options, stop));
  }

  async *#changes(options, stop) {
    const o = check.options(options);
    const signal = check.signal(o.signal);
    let since = check.whole64(o.since, 'since', this.version);
    for (;;) {
      const [now, rows] = checked(addon.dictChanges(this.#id, since), 'changes');
      for (const [key, version, flags] of rows) {
        const name = this.#named(key);
        yield { key: name, version, gone: (flags & GONE) !== 0, expired: (flags & EXPIRED) !== 0, evicted: (flags & EVICTED) !== 0 };
      }
      since = now;
      try {
        await this.#waits.add('changes', since, { signal, stop });
      } catch (error) {
        if (stop.ended) return;
        throw error;
      }
    }
  }

  // ---- locks of keys

  tryLock(key) {
    return this.#locks.tryLock(...named(check.key(key)));
  }

  /** A lease of the key, whether it has a record or not. */
  async lock(key, options) {
    const o = check.options(options);
    return this.#locks.lock(...named(check.key(key)), o);
  }

  // ---- files

  /** How many records were written. The file is replaced as a whole. */
  saveFileSync(path) {
    return checked(addon.dictSave(this.#id, check.text(path, 'path')), 'save');
  }

  /** How many records were set; others stay. */
  loadFileSync(path) {
    return checked(addon.dictLoad(this.#id, check.text(path, 'path')), 'load');
  }

  // ---- the dict

  get info() {
    return checked(addon.dictInfo(this.#id), 'info');
  }

  get closed() {
    return this.#id === 0;
  }

  close() {
    if (this.#id === 0) return;
    const id = this.#id;
    this.#id = 0;
    collected.unregister(this);
    this.#locks.close();
    this.#waits.close();
    addon.close(id);
  }

  [dispose]() {
    this.close();
  }
}

module.exports = { Dict };
