// SPDX-License-Identifier: MIT
'use strict';
const addon = require('./addon.js');
const check = require('./check.js');
const { checked, closed, codes, ShmsError } = require('./errors.js');
const { collected, endable, LockQueue, PollQueue } = require('./requests.js');

const EXCLUSIVE = 0;
const SHARED = 1;
const dispose = Symbol.dispose ?? Symbol.for('nodejs.dispose');
const owners = new WeakMap(); // of an ArrayBuffer: the Stream, which lives as long as its memory is reachable

/** What happens between lock and unlock. */
class Section {
  #ended = false;
  #end; // (call): ends it by that call of the addon, and gives its code
  #repaired;

  constructor(ownerDied, end, repaired) {
    this.ownerDied = ownerDied;
    this.#end = end;
    this.#repaired = repaired;
    Object.freeze(this);
  }

  repaired() {
    if (this.#ended) throw new ShmsError(codes.E_NOT_OWNER, 'repaired');
    this.#repaired();
  }

  /** A second call does nothing. */
  release() {
    if (this.#ended) return;
    this.#ended = true;
    this.#end('unlock');
  }

  rollback() {
    if (this.#ended) throw new ShmsError(codes.E_NOT_OWNER, 'rollback');
    this.#end('rollback');
    this.#ended = true;
  }

  [dispose]() {
    this.release();
  }
}

/** After a throw: what was written goes, where the region is atomic; else the section ends with it. */
function giveUp(section) {
  try {
    section.rollback();
  } catch {
    section.release();
  }
}

class Stream {
  #id;
  #locks;
  #changes;
  #readOnly;
  #exclusive = false;
  #view = null;

  constructor(name, size = 0, options) {
    const o = check.options(options);
    const opening = check.opening(o);
    this.#readOnly = check.flag(o.readOnly, 'readOnly') === 1;
    const flags = opening.keep | (check.flag(o.atomic, 'atomic') << 1) | (check.flag(o.sparse, 'sparse') << 2);
    this.#id = checked(
      addon.openStream(name === null ? null : check.text(name, 'name'), check.whole(size, 'size'), Number(this.#readOnly),
        opening.create, opening.mode, check.whole(o.maxSize, 'maxSize', 0), opening.openTimeout, flags),
      'open',
    );
    const id = this.#id;
    this.#locks = new LockQueue(id, (what) => addon.lock(id, what), () => addon.unlock(id));
    this.#changes = new PollQueue(id, (seen) => {
      const version = addon.changed(id, seen);
      return version === codes.E_TIMEOUT ? undefined : checked(version, 'wait');
    }, { inOrder: false });
    collected.register(this, id, this);
  }

  // ---- the lock

  #section(code, what) {
    if (this.#id === 0) throw closed('lock');
    this.#exclusive = what === EXCLUSIVE;
    return new Section(code === codes.OWNER_DIED, (call) => this.#end(call), () => checked(addon.repaired(this.#id), 'repaired'));
  }

  #end(call) {
    if (this.#id === 0) return; // close has released it
    checked(addon[call](this.#id), call);
    this.#exclusive = false;
  }

  #try(what) {
    const code = addon.lock(this.#id, what);
    return code === codes.E_TIMEOUT ? null : this.#section(checked(code, 'lock'), what);
  }

  async #lock(what, options) {
    const o = check.options(options);
    const wait = { timeout: check.timeout(o.timeout), signal: check.signal(o.signal) };
    return this.#section(await this.#locks.take(what, 'lock', wait), what);
  }

  tryLock() {
    return this.#try(EXCLUSIVE);
  }

  tryLockShared() {
    return this.#try(SHARED);
  }

  lock(options) {
    return this.#lock(EXCLUSIVE, options);
  }

  lockShared(options) {
    return this.#lock(SHARED, options);
  }

  async withLock(fn, options) {
    if (typeof fn !== 'function') throw check.wrongType('fn', 'a function', fn);
    const section = await this.lock(options);
    let result;
    try {
      result = await fn(section);
    } catch (error) {
      giveUp(section);
      throw error;
    }
    section.release();
    return result;
  }

  // ---- bytes

  get buffer() {
    if (this.#id === 0) return this.#view ?? Buffer.alloc(0);
    if (this.#readOnly) throw new ShmsError(codes.E_READ_ONLY, 'buffer');
    const memory = addon.memory(this.#id);
    if (memory === codes.E_UNSUPPORTED) {
      const error = new ShmsError(memory, 'buffer', 0, 'this runtime does not take memory of others: use read and write');
      error.code = 'ERR_SHMS_NO_EXTERNAL';
      throw error;
    }
    if (this.#view?.buffer !== checked(memory, 'buffer')) {
      owners.set(memory, this);
      this.#view = Buffer.from(memory);
    }
    return this.#view;
  }

  #copy(call, offset, length) {
    const from = check.whole(offset, 'offset', 0);
    const rest = Math.max(0, this.size - from);
    const wanted = Math.min(check.whole(length, 'length', rest), rest);
    const copy = Buffer.allocUnsafe(wanted);
    const n = checked(addon[call](this.#id, copy, from), call);
    return n === wanted ? copy : copy.subarray(0, n);
  }

  read(offset, length) {
    return this.#copy('pread', offset, length);
  }

  /** Inside a section of this handle that is what read gives: it need not wait for itself. */
  snapshot(offset, length) {
    return this.#copy(this.#exclusive ? 'pread' : 'snapshot', offset, length);
  }

  write(data, offset) {
    checked(addon.pwrite(this.#id, check.bytes(data, 'data'), check.whole(offset, 'offset', 0)), 'write');
  }

  resize(size) {
    checked(addon.resize(this.#id, check.whole(size, 'size')), 'resize');
  }

  // ---- changes

  get version() {
    return checked(addon.version(this.#id), 'version');
  }

  notify() {
    checked(addon.notify(this.#id), 'notify');
  }

  /** Each time the version has moved since the last look: the version now. */
  changes(options) {
    return endable((stop) => this.#each(options, stop));
  }

  async *#each(options, stop) {
    const o = check.options(options);
    const signal = check.signal(o.signal);
    let seen = this.version;
    for (;;) {
      try {
        seen = await this.#changes.add('changes', seen, { signal, stop });
      } catch (error) {
        if (stop.ended) return;
        throw error;
      }
      yield seen;
    }
  }

  // ---- what it is

  get size() {
    if (this.#id === 0) throw closed('size');
    return addon.size(this.#id);
  }

  get existed() {
    if (this.#id === 0) throw closed('existed');
    return addon.existed(this.#id) === 1;
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
    this.#changes.close();
    addon.close(id);
  }

  [dispose]() {
    this.close();
  }
}

module.exports = { dispose, Section, Stream };
