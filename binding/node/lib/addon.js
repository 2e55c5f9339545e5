// SPDX-License-Identifier: MIT
'use strict';
// Finds the addon: prebuilds/, for this system, or build/Release/. The one with jars is tried first: it cannot be loaded
// where libpsl or libidn2 is not there.
const path = require('path');
const fs = require('fs');

const root = path.join(__dirname, '..');
const prebuilds = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);
const candidates = [
  path.join(prebuilds, 'jar.napi.glibc.node'),
  path.join(prebuilds, 'jar.napi.musl.node'),
  path.join(prebuilds, 'node.napi.glibc.node'),
  path.join(prebuilds, 'node.napi.musl.node'),
  path.join(root, 'build', 'Release', 'shmstream.node'),
];

function load() {
  let why = new Error(`shmstream: no addon for ${process.platform}-${process.arch}; build.sh builds one`);
  for (const file of candidates) {
    if (!fs.existsSync(file)) continue;
    try {
      return require(file);
    } catch (error) {
      why = error; // that of the other libc cannot be loaded
    }
  }
  throw why;
}

module.exports = load();
