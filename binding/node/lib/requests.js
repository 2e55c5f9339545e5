// SPDX-License-Identifier: MIT
'use strict';
// Promises that wait: for a lock, which the thread of the addon waits for, or for the poll descriptor of a handle.
const addon = require('./addon.js');
const { aborted, closed, codes, ShmsError } = require('./errors.js');

const aborts = new WeakMap(); // of a signal: what it calls, by one listener, however many wait with it

/** Calls when a signal is aborted; what this gives takes that back. */
function onAbort(signal, call) {
  let one = aborts.get(signal);
  if (one === undefined) {
    const calls = new Set();
    const listener = () => [...calls].forEach((each) => each());
    one = { calls, listener };
    aborts.set(signal, one);
    signal.addEventListener('abort', listener, { once: true });
  }
  one.calls.add(call);
  return () => {
    if (!one.calls.delete(call) || one.calls.size > 0) return;
    aborts.delete(signal);
    signal.removeEventListener('abort', one.listener);
  };
}

/**
 * An async generator whose return() ends what its next() waits for: by itself it would only come after that.
 * generate(stop) hands stop to add(), and ends where that throws and stop.ended is true.
 */
function endable(generate) {
  const stop = { ended: false, now() {} };
  const generator = generate(stop);
  const end = generator.return;
  generator.return = (value) => {
    stop.ended = true;
    stop.now();
    return end.call(generator, value);
  };
  return generator;
}

/** One promise, which is settled once, with its time-out, its signal, and stop.now(), which ends it. */
class Request {
  constructor(call, { timeout, signal, stop }, onEnd) {
    this.call = call;
    this.settled = false;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    const end = (error) => {
      if (!this.fail(error)) return;
      onEnd(this);
    };
    if (timeout !== undefined) {
      this.timer = setTimeout(() => end(new ShmsError(codes.E_TIMEOUT, call)), timeout);
    }
    if (signal !== undefined) this.forget = onAbort(signal, () => end(aborted(signal)));
    if (stop !== undefined) stop.now = () => end(closed(call));
  }

  #settle() {
    if (this.settled) return false;
    this.settled = true;
    clearTimeout(this.timer);
    this.forget?.();
    return true;
  }

  succeed(value) {
    if (!this.#settle()) return false;
    this.resolve(value);
    return true;
  }

  fail(error) {
    if (!this.#settle()) return false;
    this.reject(error);
    return true;
  }
}

const tickets = new Map(); // of the waits in the thread: [LockQueue, Request]
const polls = new Map(); // by id of the handle: the PollQueue that sleeps on its descriptor
const OFTEN = 32; // so many tries in a row may be lucky; then others that wait get their turn

/**
 * Those that want one lock through one handle, in their order: at most one of them waits in the thread.
 * A try does not stand back for a process that waits, so not all of many locks in a row are got by a try.
 */
class LockQueue {
  #id;
  #waiting = [];
  #active = null;
  #ticket = 0;
  #lucky = 0;

  /** attempt(what): a code; giveBack(): for a lock that came too late. */
  constructor(id, attempt, giveBack, key) {
    this.#id = id;
    this.attempt = attempt;
    this.giveBack = giveBack;
    this.key = key;
    this.held = false; // by this handle, where the library would not wait for itself: locks of keys
  }

  get idle() {
    return this.#waiting.length === 0 && this.#active === null && !this.held;
  }

  /** A promise of 0 or OWNER_DIED. */
  take(what, call, options) {
    if (options.signal?.aborted) return Promise.reject(aborted(options.signal));
    let code = codes.E_TIMEOUT;
    if (this.idle && (this.#lucky++ < OFTEN || options.timeout === 0)) code = this.attempt(what);
    if (code >= 0) return Promise.resolve(code);
    if (code !== codes.E_TIMEOUT || options.timeout === 0) {
      return Promise.reject(new ShmsError(code, call, addon.oserror()));
    }
    const request = new Request(call, options, () => this.#ended(request));
    request.what = what;
    this.#waiting.push(request);
    // The loop of events has its turn, too.
    if (this.#lucky > OFTEN) setImmediate(() => this.pump());
    else this.pump();
    return request.promise;
  }

  /** What has ended in the thread comes back by done(), soon. */
  #ended(request) {
    if (request === this.#active) addon.cancel(this.#ticket);
  }

  pump() {
    while (this.#active === null && !this.held && this.#waiting.length > 0) {
      const request = this.#waiting.shift();
      if (request.settled) continue;
      this.#lucky = 0;
      const ticket = addon.submit(this.#id, request.what, this.key);
      if (ticket < 0) {
        request.fail(new ShmsError(ticket, request.call, addon.oserror()));
        continue;
      }
      this.#active = request;
      this.#ticket = ticket;
      tickets.set(ticket, this);
    }
  }

  done(code, errno) {
    const request = this.#active;
    this.#active = null;
    if (code < 0) request.fail(new ShmsError(code, request.call, errno));
    else if (request.succeed(code)) this.held = this.key !== undefined;
    else this.giveBack();
    this.pump();
  }

  /** The handle is closed next: the addon forgets what waits in the thread. */
  close() {
    const all = this.#active === null ? this.#waiting : [this.#active, ...this.#waiting];
    tickets.delete(this.#ticket);
    this.#waiting = [];
    this.#active = null;
    for (const request of all) request.fail(closed(request.call));
  }
}

const TICK_MS = 1000; // deaths are not told by a descriptor
const BLIND_MS = 10; // where there is none: the system has a limit of them
const LUCKY_MOST = 128; // after so many results at once, the loop of events has its turn

/**
 * Those that wait for one handle's poll descriptor. attempt(what) gives undefined where nothing is there yet, or
 * throws. In order, the second is not tried before the first has got something; else each is tried.
 * keep(what): what is kept of it where it has to wait.
 */
class PollQueue {
  #id;
  #attempt;
  #inOrder;
  #keep;
  #requests = new Set();
  #timer;
  #lucky = 0;

  constructor(id, attempt, { inOrder, keep = (what) => what }) {
    this.#id = id;
    this.#attempt = attempt;
    this.#inOrder = inOrder;
    this.#keep = keep;
  }

  /** What attempt(what) gives, where nobody is before it; undefined: it has to wait. */
  now(what, once = false) {
    if ((this.#inOrder && this.#requests.size > 0) || (this.#lucky++ >= LUCKY_MOST && !once)) return undefined;
    return this.#attempt(what);
  }

  /** A promise of what attempt(what) gives. */
  add(call, what, options) {
    if (options.signal?.aborted) return Promise.reject(aborted(options.signal));
    try {
      const result = this.now(what, options.timeout === 0);
      if (result !== undefined) return Promise.resolve(result);
    } catch (error) {
      return Promise.reject(error);
    }
    if (options.timeout === 0) return Promise.reject(new ShmsError(codes.E_TIMEOUT, call));
    const request = new Request(call, options, () => {
      this.#requests.delete(request);
      this.pump();
    });
    request.what = this.#keep(what);
    const full = this.#lucky >= LUCKY_MOST;
    this.#lucky = 0;
    this.#requests.add(request);
    if (full) setImmediate(() => this.pump());
    else this.pump();
    return request.promise;
  }

  #tryOne(request) {
    try {
      const result = this.#attempt(request.what);
      if (result === undefined) return false;
      request.succeed(result);
    } catch (error) {
      request.fail(error);
    }
    this.#requests.delete(request);
    return true;
  }

  #tryAll() {
    for (const request of this.#requests) if (!this.#tryOne(request) && this.#inOrder) break;
  }

  pump() {
    this.#tryAll();
    clearTimeout(this.#timer);
    if (this.#requests.size === 0) {
      if (polls.delete(this.#id)) addon.watch(this.#id, 0);
      return;
    }
    let code = 0;
    if (!polls.has(this.#id)) {
      code = addon.watch(this.#id, 1);
      if (code >= 0) polls.set(this.#id, this);
    }
    // What changed before the descriptor was there is not told by it.
    if (code === 1) this.pump();
    else this.#timer = setTimeout(() => this.pump(), code < 0 ? BLIND_MS : TICK_MS);
  }

  close() {
    clearTimeout(this.#timer);
    polls.delete(this.#id);
    for (const request of this.#requests) request.fail(closed(request.call));
    this.#requests.clear();
  }
}

addon.setup(
  (ticket, code, errno) => {
    const queue = tickets.get(ticket);
    tickets.delete(ticket);
    queue?.done(code, errno);
  },
  (id) => polls.get(id)?.pump(),
);

/** Handles whose object was collected are closed. */
const collected = new FinalizationRegistry((id) => addon.close(id));

module.exports = { collected, endable, LockQueue, PollQueue };
