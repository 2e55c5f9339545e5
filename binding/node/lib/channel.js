// SPDX-License-Identifier: MIT
'use strict';
const { Readable, Writable } = require('stream');
const addon = require('./addon.js');
const check = require('./check.js');
const { checked, codes, ShmsError } = require('./errors.js');
const { Message, Peeked } = require('./message.js');
const { collected, PollQueue } = require('./requests.js');
const room = require('./room.js');
const { dispose } = require('./stream.js');

const roles = { look: 0, send: 1, receive: 2 };
const kinds = { queue: 0, broadcast: 1 };
const slow = { block: 0, drop: 1, expel: 2 };
const wordOf = (table, number) => Object.keys(table).find((word) => table[word] === number);

const sent = Promise.resolve();
const nothing = () => {};

const waitOf = (options) => {
  const o = check.options(options);
  return { timeout: check.timeout(o.timeout), signal: check.signal(o.signal) };
};

class Channel {
  #id;
  #queue;
  #peeked;

  constructor(name, role, options) {
    const o = check.options(options);
    const opening = check.opening(o);
    if (role === undefined) throw check.wrongType('role', 'a string', role);
    this.#id = checked(
      addon.openChannel(check.text(name, 'name'), check.whole(o.size, 'size', 0), check.choice(role, 'role', roles),
        check.choice(o.kind, 'kind', kinds), check.choice(o.slow, 'slow', slow),
        check.whole(o.history, 'history', 0, 2 ** 32 - 1), check.flag(o.oneSender, 'oneSender'),
        check.flag(o.oneReceiver, 'oneReceiver'), opening.create, opening.mode, opening.keep, opening.openTimeout),
      'open',
    );
    const id = this.#id;
    const peeked = new Peeked(id);
    this.#queue = role === 'send'
      ? new PollQueue(id, (bytes) => Channel.#send(id, bytes), { inOrder: true, keep: Buffer.from })
      : new PollQueue(id, (one = Channel.#receive) => Channel.#free(one, id, peeked), { inOrder: true });
    this.#peeked = peeked;
    const queue = new WeakRef(this.#queue);
    peeked.turn = () => queue.deref()?.pump();
    collected.register(this, id, this);
  }

  /** true; undefined: there is no room. */
  static #send(id, bytes) {
    const code = addon.send(id, bytes);
    return code === codes.E_TIMEOUT ? undefined : checked(code, 'send') === 0;
  }

  /** One of the next two, where this handle has peeked nothing; else it waits for that to end. */
  static #free(one, id, peeked) {
    return peeked.held ? undefined : one(id, peeked);
  }

  /** What a Message is made of; null at the end; undefined: there is none yet. */
  static #peek(id, peeked) {
    const message = addon.peek(id, room.bytes, peeked.facts);
    if (message < 0) return Channel.#none(id, message);
    return peeked.take(typeof message === 'number' ? room.copy(message) : message);
  }

  /** A message; null at the end; undefined: there is none yet. */
  static #receive(id) {
    let message = addon.recv(id, room.bytes);
    // Another receiver may take the one that did not fit, and the next one be longer still.
    while (message === codes.E_SIZE) {
      room.grow(addon.message(id).size);
      message = addon.recv(id, room.bytes);
    }
    return message >= 0 ? room.copy(message) : Channel.#none(id, message);
  }

  static #none(id, message) {
    if (message === codes.E_TIMEOUT) return undefined;
    if (message === codes.E_CLOSED) return null;
    const error = new ShmsError(message, 'receive', addon.oserror());
    if (message === codes.E_MISSED) error.missed = addon.message(id).missed;
    throw error;
  }

  // ---- sending

  /** false if there is no room now. What waits in send() goes first. */
  trySend(data) {
    return Channel.#send(this.#id, check.bytes(data, 'data')) === true;
  }

  send(data, options) {
    try {
      const bytes = check.bytes(data, 'data');
      if (options === undefined && this.#queue.now(bytes) !== undefined) return sent;
      return this.#queue.add('send', bytes, waitOf(options)).then(nothing);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Each chunk is a message. Its end closes the channel. */
  writable() {
    return new Writable({
      decodeStrings: true,
      write: (chunk, encoding, done) => void this.send(chunk).then(() => done(), done),
      destroy: (error, done) => {
        this.close();
        done(error);
      },
    });
  }

  // ---- receiving

  /** A message; undefined if there is none now; null if all senders have closed. */
  tryReceive() {
    return Channel.#free(Channel.#receive, this.#id, this.#peeked);
  }

  /** A message, or null when all senders have closed. */
  async receive(options) {
    return this.#queue.add('receive', undefined, waitOf(options));
  }

  #message(peek) {
    return peek ? new Message(this, this.#peeked, peek) : peek;
  }

  /** As tryReceive(), but the message is delivered again unless it is released. */
  tryPeek() {
    return this.#message(Channel.#free(Channel.#peek, this.#id, this.#peeked));
  }

  /** As receive(), but the message is delivered again unless it is released. What waits through this handle waits for that, too. */
  async peek(options) {
    return this.#message(await this.#queue.add('peek', Channel.#peek, waitOf(options)));
  }

  /** What else is known of the message that was received last. */
  get message() {
    return checked(addon.message(this.#id), 'message');
  }

  /** Each step receives one message; breaking off leaves the channel open. */
  [Symbol.asyncIterator]() {
    let done = false;
    const stop = { now() {} };
    const next = async () => {
      const message = this.#queue.now();
      return message === undefined ? this.#queue.add('receive', undefined, { stop }) : message;
    };
    return {
      next: async () => {
        if (done) return { value: undefined, done };
        let message = null;
        try {
          message = await next();
        } catch (error) {
          if (!done) throw error; // else return() has ended the wait
        }
        done ||= message === null;
        return { value: message ?? undefined, done: message === null };
      },
      return: async (value) => {
        done = true;
        stop.now(); // so that it takes no message that nobody looks at
        return { value, done };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Each message is a chunk. Its end closes the channel. */
  readable() {
    const channel = this;
    return new Readable({
      objectMode: true, // so that messages are not joined, and an empty one is no end
      read() {
        const failed = (error) => {
          if (!this.destroyed) this.destroy(error);
        };
        channel.receive().then((message) => this.push(message), failed);
      },
      destroy(error, done) {
        channel.close();
        done(error);
      },
    });
  }

  // ---- the channel

  /** Ends every wait of this channel once, in other processes too. */
  notify() {
    checked(addon.channelNotify(this.#id), 'notify');
  }

  get info() {
    const info = checked(addon.channelInfo(this.#id), 'info');
    return { ...info, kind: wordOf(kinds, info.kind), slow: wordOf(slow, info.slow) };
  }

  get closed() {
    return this.#id === 0;
  }

  close() {
    if (this.#id === 0) return;
    const id = this.#id;
    this.#id = 0;
    collected.unregister(this);
    this.#queue.close();
    addon.close(id);
  }

  [dispose]() {
    this.close();
  }
}

module.exports = { Channel };
