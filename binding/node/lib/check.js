// SPDX-License-Identifier: MIT
'use strict';
// Arguments: what has the wrong type is a TypeError, what is out of range a RangeError, as in Node itself.
const { types } = require('util');

const shown = (value) => (typeof value === 'string' ? JSON.stringify(value) : String(Object(value) === value ? typeof value : value));

function wrongType(name, wanted, value) {
  const error = new TypeError(`"${name}" must be ${wanted}, not ${shown(value)}`);
  error.code = 'ERR_INVALID_ARG_TYPE';
  return error;
}

function outOfRange(name, wanted, value) {
  const error = new RangeError(`"${name}" must be ${wanted}, not ${shown(value)}`);
  error.code = 'ERR_OUT_OF_RANGE';
  return error;
}

/** A whole number from least to most; `otherwise` if it is undefined. */
function whole(value, name, otherwise, most = Number.MAX_SAFE_INTEGER, least = 0) {
  if (value === undefined && otherwise !== undefined) return otherwise;
  if (typeof value !== 'number') throw wrongType(name, 'a number', value);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw outOfRange(name, `a whole number from ${least} to ${most}`, value);
  }
  return value;
}

/** A moment in milliseconds, of a Date or a number; one before 1970 is as long ago as 1 ms after. */
function moment(value, name) {
  const time = types.isDate(value) ? Date.prototype.getTime.call(value) : value;
  return Math.max(1, whole(time, name, undefined, 9e12, -9e15)); // for C, 0 is never
}

/** A whole number of 64 bits, as a BigInt. */
function whole64(value, name, otherwise) {
  if (value === undefined && otherwise !== undefined) return otherwise;
  if (typeof value !== 'bigint' && typeof value !== 'number') throw wrongType(name, 'a bigint or a number', value);
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw outOfRange(name, 'a safe integer', value);
  const big = BigInt(value);
  if (BigInt.asIntN(64, big) !== big) throw outOfRange(name, 'a number of 64 bits', value);
  return big;
}

function flag(value, name) {
  if (value === undefined) return 0;
  if (typeof value !== 'boolean') throw wrongType(name, 'a boolean', value);
  return Number(value);
}

/** The number that a word stands for. */
function choice(value, name, table) {
  if (value === undefined) return Object.values(table)[0];
  if (typeof value !== 'string') throw wrongType(name, 'a string', value);
  if (!Object.hasOwn(table, value)) throw outOfRange(name, `one of ${Object.keys(table).join(', ')}`, value);
  return table[value];
}

function text(value, name) {
  if (typeof value !== 'string') throw wrongType(name, 'a string', value);
  if (value.includes('\0')) throw outOfRange(name, 'a string without a zero byte', value);
  return value;
}

const none = Object.freeze({ __proto__: null }); // not even what somebody has put into all objects

function options(value, name = 'options') {
  if (value === undefined) return none;
  if (value === null || typeof value !== 'object') throw wrongType(name, 'an object', value);
  return value;
}

/** Bytes to write: a Uint8Array (a Buffer is one), or a string in UTF-8. */
function bytes(value, name) {
  if (types.isUint8Array(value)) return value;
  if (typeof value === 'string') return Buffer.from(value);
  throw wrongType(name, 'a Uint8Array or a string', value);
}

function key(value) {
  if (typeof value !== 'string' && !types.isUint8Array(value)) throw wrongType('key', 'a string or a Uint8Array', value);
  return value;
}

/** Milliseconds, or undefined for ever; a timer of Node can wait for 2^31 - 1. */
function timeout(value) {
  if (value === undefined || value === Infinity) return undefined;
  return whole(value, 'timeout', undefined, 2 ** 31 - 1);
}

function signal(value) {
  if (value !== undefined && !(value instanceof AbortSignal)) throw wrongType('signal', 'an AbortSignal', value);
  return value;
}

/** For C, 0 is the default. */
const patience = (value) => (value === undefined ? 0 : Math.max(1, whole(value, 'openTimeout', undefined, 2 ** 31 - 1)));

const create = { 'or-open': 0, only: 1, never: 2 };
/** What all that is opened by a name has in common. */
const opening = (o) => ({
  create: choice(o.create, 'create', create),
  mode: whole(o.mode, 'mode', 0, 0o777),
  keep: flag(o.keep, 'keep'),
  openTimeout: patience(o.openTimeout),
});

module.exports = { bytes, choice, flag, key, moment, opening, options, outOfRange, signal, text, timeout, whole, whole64, wrongType };
