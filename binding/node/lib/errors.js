// SPDX-License-Identifier: MIT
'use strict';
// Codes, and the errors that are made of them.
const addon = require('./addon.js');

/** Each code by its name without SHMS_, as in the header: codes.OWNER_DIED is 1, codes.E_TIMEOUT is -5. */
const codes = {};
const words = new Map(); // by number: [name, text]
for (const [name, value, text] of addon.codes) {
  codes[name.slice('SHMS_'.length)] = value;
  words.set(value, [name, text]);
}
Object.freeze(codes);

class ShmsError extends Error {
  constructor(number, call, errno = 0, note = '') {
    const [name, text] = words.get(number) ?? ['SHMS_E_UNKNOWN', 'unknown code'];
    super(`${call}: ${note || text}`);
    this.code = 'ERR_' + name.replace('SHMS_E_', 'SHMS_');
    this.errno = errno;
  }
}
Object.defineProperty(ShmsError.prototype, 'name', { value: 'ShmsError' });

/** Gives the result of a call back, or throws what its code means. Called right after it, for the errno. */
function checked(result, call) {
  if (typeof result === 'number' && result < 0) throw new ShmsError(result, call, addon.oserror());
  return result;
}

const closed = (call) => new ShmsError(codes.E_INVALID, call, 0, 'the handle is closed');

function aborted(signal) {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  error.code = 'ABORT_ERR';
  return error;
}

module.exports = { aborted, checked, closed, codes, ShmsError };
