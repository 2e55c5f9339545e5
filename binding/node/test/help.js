// SPDX-License-Identifier: MIT
'use strict';
// What the tests share: names, other processes, and a look at what is left.
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const { after } = require('node:test');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const shms = require('..');

const prefix = `test-node-${process.pid}-`;
let count = 0;
const name = () => prefix + ++count;

const ours = () => shms.list().filter((region) => region.name.includes(prefix));
const descriptors = () => fs.readdirSync('/proc/self/fd').length;
const immediate = () => new Promise((resolve) => setImmediate(resolve));

/** Waits until it holds; a test that waits in vain is ended by its time-out. */
async function until(holds) {
  while (!holds()) await immediate();
}

/** A process with a role of roles.js: `says` is the next line of what it says, `ends` its exit code or signal. */
function start(role, ...args) {
  const child = spawn(process.execPath, [path.join(__dirname, 'roles.js'), role, ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    says: async () => (await lines.next()).value,
    ends: new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code))),
  };
}

/** At the end of a file: no name, and no descriptor more than there were when it called this. */
function leavesNothing() {
  new shms.Stream(name(), 1).close(); // what the first one opens for good
  const before = descriptors();
  after(async () => {
    await immediate();
    assert.deepStrictEqual(ours(), []);
    assert.ok(descriptors() <= before + 2, `${descriptors()} descriptors, there were ${before}`);
  });
}

module.exports = { immediate, leavesNothing, name, ours, start, until };
