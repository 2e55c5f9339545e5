// SPDX-License-Identifier: MIT
'use strict';
// What the other processes of the tests do.
const { Channel, Jar, Stream } = require('..');

const say = (words) => process.stdout.write(words + '\n');
const increment = (stream) => {
  const bytes = stream.read(0, 4);
  bytes.writeUInt32LE(bytes.readUInt32LE() + 1);
  stream.write(bytes);
};

const roles = {
  /** Several tasks count in one stream. */
  async count(name, tasks, rounds) {
    const stream = new Stream(name, 4);
    const task = async () => {
      for (let i = 0; i < rounds; i++) await stream.withLock(() => increment(stream));
    };
    await Promise.all(Array.from({ length: Number(tasks) }, task));
    stream.close();
  },

  /** Killed in the middle of a section. */
  async die(name) {
    const stream = new Stream(name);
    await stream.lock();
    stream.write('half');
    process.kill(process.pid, 'SIGKILL');
  },

  /** Holds the lock of a host until it is killed. */
  async hostLock(name) {
    const jar = new Jar(name, { keep: false });
    await jar.lock('example.com');
    jar.set('https://example.com/', 'kept=1');
    say('has it');
    await jar.changes().next();
  },

  /** Ends by exit while it waits. */
  async exit(name) {
    const stream = new Stream(name);
    stream.lock().then(() => say('got it'));
    setImmediate(() => process.exit(3));
  },

  /** Ends with all open that can be. */
  async leave(name) {
    const stream = new Stream(name, 4);
    stream.changes().next();
    new Channel(name + '-channel', 'receive', { size: 4096 }).tryReceive();
    stream.buffer[0] = 1;
    setImmediate(() => process.exit());
  },

  /** Has waited for all that there is, in vain, and has nothing more to do. */
  async giveUp(name) {
    const stream = new Stream(name);
    const channel = new Channel(name + '-channel', 'receive', { size: 4096 });
    const signal = AbortSignal.timeout(20);
    const waits = [stream.lock({ timeout: 20 }), stream.changes({ signal }).next(), channel.receive({ timeout: 20 })];
    const ends = await Promise.allSettled(waits);
    say(ends.map((end) => end.reason.code).join(' '));
  },

  async hold(name) {
    const stream = new Stream(name);
    const section = await stream.lock();
    say('held');
    process.stdin.once('data', () => {
      stream.write('later');
      section.release();
      stream.close();
      process.stdin.destroy();
    });
  },

  async send(name, count) {
    const channel = new Channel(name, 'send');
    for (let i = 0; i < count; i++) await channel.send(`message ${i}`);
    channel.close();
  },

  async sendAndDie(name) {
    const channel = new Channel(name, 'send');
    await channel.send('last words');
    process.kill(process.pid, 'SIGKILL');
  },

  /** Killed with a message that it has not released. */
  async peekAndDie(name) {
    const job = await new Channel(name, 'receive').peek();
    process.stdout.write(`peeked ${job.data} ${job.tries}\n`, () => process.kill(process.pid, 'SIGKILL'));
  },
};

roles[process.argv[2]](...process.argv.slice(3));
