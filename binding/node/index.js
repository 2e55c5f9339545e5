// SPDX-License-Identifier: MIT
'use strict';
const addon = require('./lib/addon.js');
const check = require('./lib/check.js');
const { checked, codes, ShmsError } = require('./lib/errors.js');
const { Channel } = require('./lib/channel.js');
const { Dict } = require('./lib/dict.js');
const { Jar } = require('./lib/jar.js');
const { Stream } = require('./lib/stream.js');

/** Removes a name; those that have it open go on with their memory. */
function unlink(name) {
  checked(addon.unlink(check.text(name, 'name')), 'unlink');
}

const states = ['live', 'kept', 'dead', 'foreign'];
const kinds = ['stream', 'channel', 'dict'];

/** The regions that this user may look into. */
function list() {
  return checked(addon.list(), 'list').map((region) => ({
    ...region,
    state: states[region.state] ?? 'unknown',
    kind: kinds[region.kind] ?? 'unknown',
    locked: region.locked !== 0,
    ownerDied: region.ownerDied !== 0,
    keep: region.keep !== 0,
    atomic: region.atomic !== 0,
  }));
}

module.exports = { Channel, codes, Dict, Jar, list, ShmsError, Stream, unlink };
