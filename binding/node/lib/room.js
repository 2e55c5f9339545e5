// SPDX-License-Identifier: MIT
'use strict';
// Room that messages and values come into, before it is known how long they are. A Buffer of the exact length is a copy.
const room = {
  bytes: Buffer.allocUnsafeSlow(16384),

  grow(size) {
    room.bytes = Buffer.allocUnsafeSlow(size);
  },

  copy(n) {
    const copy = Buffer.allocUnsafe(n);
    room.bytes.copy(copy, 0, 0, n);
    return copy;
  },
};

module.exports = room;
