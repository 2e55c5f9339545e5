// SPDX-License-Identifier: MIT
// As count.c.
'use strict';
const { Stream, Channel, Dict } = require('shmstream');
const [name, language, slot, times] = process.argv.slice(2);

const stream = new Stream(name + '-s');
const channel = new Channel(name + '-c', 'send');
const dict = new Dict(name + '-d');

const get = (at) => stream.read(at, 8).readBigInt64LE();

function put(at, n) {
  const word = Buffer.alloc(8);
  word.writeBigInt64LE(n);
  stream.write(word, at);
}

async function count() {
  for (let i = 0; i < Number(times); i++) {
    await stream.withLock(() => {
      const all = get(0), mine = get(8 * Number(slot));
      dict.add(language);
      dict.add('all');
      put(0, all + 1n);
      put(8 * Number(slot), mine + 1n);
    });
    await channel.send(language);
  }
  channel.close();
  dict.close();
  stream.close();
  process.stdin.destroy();
}

console.log('open');
process.stdin.once('data', count);
