// SPDX-License-Identifier: MIT
'use strict';
// A message that was peeked: delivered again unless it is released.
const addon = require('./addon.js');
const { checked } = require('./errors.js');
const { dispose } = require('./stream.js');

/** The one message that a handle has peeked. turn: of the PollQueue, those that wait meanwhile. */
class Peeked {
  #id;
  #count = 0;
  #facts = new BigUint64Array(2); // number and tries, which the addon has written
  facts = new Uint8Array(this.#facts.buffer);
  held = false;
  turn = () => {};

  constructor(id) {
    this.#id = id;
  }

  take(data) {
    this.held = true;
    return { count: ++this.#count, data, number: this.#facts[0], tries: Number(this.#facts[1]) };
  }

  /** Ends the message with this number by a call of the addon, once. */
  end(count, call, name) {
    if (!this.held || count !== this.#count) return;
    this.held = false;
    try {
      checked(call(this.#id), name);
    } finally {
      this.turn();
    }
  }
}

/** A message that nobody has any more is put back. */
const forgotten = new FinalizationRegistry(({ peeked, count }) => {
  try {
    peeked.end(count, addon.channelAbort, 'abort');
  } catch {
    // its channel was closed, which has put it back
  }
});

class Message {
  #peeked;
  #count;
  #channel; // is not collected before

  constructor(channel, peeked, { count, data, number, tries }) {
    this.#channel = channel;
    this.#peeked = peeked;
    this.#count = count;
    this.data = data;
    this.number = number;
    this.tries = tries;
    forgotten.register(this, { peeked, count });
    Object.freeze(this);
  }

  /** Done with it. A closed channel has put it back: that is an error. What is called second does nothing. */
  release() {
    this.#peeked.end(this.#count, addon.channelRelease, 'release');
  }

  /** Puts it back: it is delivered again. */
  abort() {
    if (!this.#channel.closed) this.#peeked.end(this.#count, addon.channelAbort, 'abort');
  }

  [dispose]() {
    this.abort();
  }
}

module.exports = { Message, Peeked };
