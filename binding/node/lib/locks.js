// SPDX-License-Identifier: MIT
'use strict';
// Locks that have names, of keys or hosts, through one handle.
const addon = require('./addon.js');
const check = require('./check.js');
const { checked, closed, codes, ShmsError } = require('./errors.js');
const { LockQueue } = require('./requests.js');
const { dispose } = require('./stream.js');

/** One that is held. */
class NamedLock {
  #release;

  constructor(ownerDied, release) {
    this.ownerDied = ownerDied;
    this.#release = release;
    Object.freeze(this);
  }

  /** A second call does nothing. */
  release() {
    const release = this.#release;
    this.#release = () => {};
    release();
  }

  [dispose]() {
    this.release();
  }
}

/** A queue for each name that is held or waited for. */
class NamedLocks {
  #id;
  #kind; // what a LockQueue asks the addon for
  #lock;
  #unlock;
  #queues = new Map();

  constructor(id, kind, lock, unlock) {
    this.#id = id;
    this.#kind = kind;
    this.#lock = lock;
    this.#unlock = unlock;
  }

  /** key: what the library is given. */
  #queueOf(name, key) {
    let queue = this.#queues.get(name);
    if (queue === undefined) {
      const id = this.#id;
      queue = new LockQueue(id, () => this.#lock(id, key), () => this.#unlock(id, key), key);
      queue.name = name;
      this.#queues.set(name, queue);
    }
    return queue;
  }

  #held(queue, code) {
    if (this.#id === 0) throw closed('lock');
    queue.held = true;
    return new NamedLock(code === codes.OWNER_DIED, () => this.#release(queue));
  }

  #release(queue) {
    if (this.#id === 0) return; // close has released it
    const code = this.#unlock(this.#id, queue.key);
    const errno = code < 0 ? addon.oserror() : 0;
    queue.held = false;
    queue.pump();
    this.#drop(queue);
    if (code < 0) throw new ShmsError(code, 'unlock', errno);
  }

  #drop(queue) {
    if (queue.idle) this.#queues.delete(queue.name);
  }

  /** null: somebody has it. */
  tryLock(name, key) {
    const queue = this.#queueOf(name, key);
    const code = queue.idle ? queue.attempt() : codes.E_TIMEOUT;
    if (code >= 0) return this.#held(queue, code);
    this.#drop(queue);
    return code === codes.E_TIMEOUT ? null : checked(code, 'lock');
  }

  async lock(name, key, options) {
    const queue = this.#queueOf(name, key);
    try {
      const wait = { timeout: check.timeout(options.timeout), signal: check.signal(options.signal) };
      return this.#held(queue, await queue.take(this.#kind, 'lock', wait));
    } finally {
      this.#drop(queue);
    }
  }

  close() {
    this.#id = 0;
    for (const queue of this.#queues.values()) queue.close();
  }
}

module.exports = { NamedLocks };
