// SPDX-License-Identifier: MIT
'use strict';
const addon = require('./addon.js');
const check = require('./check.js');
const { checked, codes, ShmsError } = require('./errors.js');
const { NamedLocks } = require('./locks.js');
const { collected, endable, PollQueue } = require('./requests.js');
const { dispose } = require('./stream.js');
const { domainToASCII } = require('url');

const HOST = 3; // what is locked, as the addon is told
const sites = { same: 0, lax: 1, 'lax-unsafe': 2, cross: 3 };
const sameSites = { none: 1, lax: 2, strict: 3 };
const sameSiteNames = [null, 'none', 'lax', 'strict'];
const refusals = ['', 'CONTROL', 'EMPTY', 'LONG', 'DOMAIN', 'SUFFIX', 'INSECURE', 'SHADOWS', 'HIDDEN', 'CROSS_SITE', 'PREFIX', 'UNWRITABLE'];
const SECURE = 1;
const HTTP_ONLY = 2;
const HOST_ONLY = 4;
const GONE = 8;
const NS_PER_MS = 1000000n;
const most32 = 2 ** 32 - 1;

/** Text as Node has it in headers: each character is a byte. Bytes are taken, too. */
function latin1(value, name) {
  if (typeof value !== 'string') return check.bytes(value, name);
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.latin1Slice() !== value) throw check.outOfRange(name, 'a string of bytes, as in headers', value);
  return bytes;
}

const textOrNull = (value, name) => (value === undefined || value === null ? null : check.text(value, name));
const dateOf = (ns) => (ns === 0n ? null : new Date(Number(ns / NS_PER_MS)));

/** Why a cookie was refused, or null. */
function refused(code, call) {
  if (checked(code, call) === 0) return null;
  return Object.freeze({ code: refusals[code] ?? 'UNKNOWN', message: addon.jarReason(code) });
}

function cookieOf([host, name, value, path, partition, flags, sameSite, expires, created, used, number, version]) {
  return {
    host, name, value, path, partition, number, version,
    secure: (flags & SECURE) !== 0,
    httpOnly: (flags & HTTP_ONLY) !== 0,
    hostOnly: (flags & HOST_ONLY) !== 0,
    sameSite: sameSiteNames[sameSite] ?? null,
    expires: dateOf(expires),
    created: dateOf(created),
    used: dateOf(used),
    gone: (flags & GONE) !== 0,
  };
}

/** One lock for all spellings of a host. */
const spelled = (host) => domainToASCII(check.text(host, 'host')) || host;

class Jar {
  #id;
  #locks;
  #waits;

  constructor(name = 'cookies', options) {
    const o = check.options(options);
    const opening = check.opening(o);
    if (addon.openJar === undefined) throw new ShmsError(codes.E_UNSUPPORTED, 'open', 0, 'no jars: built without them, or no libpsl or libidn2 here');
    const keep = o.keep === undefined ? 1 : opening.keep;
    this.#id = checked(
      addon.openJar(check.text(name, 'name'), check.flag(o.readOnly, 'readOnly'), opening.create, opening.mode,
        check.whole(o.maxSize, 'maxSize', 0), opening.openTimeout, check.whole(o.hostCookies, 'hostCookies', 0, most32),
        check.whole(o.jarCookies, 'jarCookies', 0, most32), keep, textOrNull(o.suffixList, 'suffixList')),
      'open',
    );
    const id = this.#id;
    this.#locks = new NamedLocks(id, HOST, addon.jarLock, addon.jarUnlock);
    this.#waits = new PollQueue(id, (seen) => {
      const version = addon.jarChanged(id, seen);
      return version === codes.E_TIMEOUT ? undefined : checked(version, 'wait');
    }, { inOrder: false });
    collected.register(this, id, this);
  }

  // ---- requests

  #request(url, options) {
    const o = check.options(options);
    if (url instanceof URL) url = url.href;
    return [check.text(url, 'url'), check.flag(o.api, 'api'), check.choice(o.site, 'site', sites), textOrNull(o.partition, 'partition')];
  }

  /** Takes a Set-Cookie line in: null, or why it was refused. */
  set(url, line, options) {
    return refused(addon.jarSet(this.#id, ...this.#request(url, options), latin1(line, 'line')), 'set');
  }

  /** The Cookie line for a request; '' where there is none to send. */
  get(url, options) {
    return checked(addon.jarGet(this.#id, ...this.#request(url, options)), 'get');
  }

  // ---- cookies

  each(host) {
    return checked(addon.jarEach(this.#id, textOrNull(host, 'host')), 'each').map(cookieOf);
  }

  [Symbol.iterator]() {
    return this.each()[Symbol.iterator]();
  }

  /** Puts a cookie in, past the rules that need a request: null, or why it was refused. */
  put(cookie) {
    const c = check.options(cookie, 'cookie');
    const flags = SECURE * check.flag(c.secure, 'secure') + HTTP_ONLY * check.flag(c.httpOnly, 'httpOnly') +
      HOST_ONLY * (c.hostOnly === undefined ? 1 : check.flag(c.hostOnly, 'hostOnly'));
    const sameSite = c.sameSite === undefined || c.sameSite === null ? 0 : check.choice(c.sameSite, 'sameSite', sameSites);
    const ms = c.expires === undefined || c.expires === null ? 0 : check.moment(c.expires, 'expires');
    const [name, value, path] = [latin1(c.name, 'name'), latin1(c.value, 'value'), latin1(c.path ?? '/', 'path')];
    for (const [bytes, which] of [[name, 'name'], [value, 'value'], [path, 'path']]) {
      if (bytes.includes(0)) throw check.outOfRange(which, 'without a zero byte', c[which]);
    }
    return refused(addon.jarPut(this.#id, check.text(c.host, 'host'), name, value, path, textOrNull(c.partition, 'partition'),
      flags, sameSite, BigInt(ms) * NS_PER_MS), 'put');
  }

  /** Whether there was one: of that name, and of a path or of all. */
  delete(host, name, options) {
    const o = check.options(options);
    const path = o.path === undefined ? null : latin1(o.path, 'path');
    const bytes = latin1(name, 'name');
    if (bytes.includes(0) || path?.includes(0)) throw check.outOfRange('name', 'without a zero byte', name);
    const code = addon.jarDel(this.#id, check.text(host, 'host'), bytes, null, path, textOrNull(o.partition, 'partition'));
    return code !== codes.E_NOT_FOUND && checked(code, 'delete') === 0;
  }

  /** Deletes all cookies, of a host or of all; how many they were. */
  clear(host) {
    return checked(addon.jarClear(this.#id, textOrNull(host, 'host')), 'clear');
  }

  // ---- changes

  get version() {
    return checked(addon.jarVersion(this.#id), 'version');
  }

  /** Cookies as they change. ERR_SHMS_MISSED: more than the jar remembers; look at each(), and begin anew. */
  changes(options) {
    return endable((stop) => this.#changes(options, stop));
  }

  async *#changes(options, stop) {
    const o = check.options(options);
    const signal = check.signal(o.signal);
    let since = check.whole64(o.since, 'since', this.version);
    for (;;) {
      const [now, rows] = checked(addon.jarChanges(this.#id, since), 'changes');
      for (const row of rows) yield cookieOf(row);
      since = now;
      try {
        await this.#waits.add('changes', since, { signal, stop });
      } catch (error) {
        if (stop.ended) return;
        throw error;
      }
    }
  }

  // ---- locks of hosts

  tryLock(host) {
    const name = spelled(host);
    return this.#locks.tryLock(name, name);
  }

  /** One process logs in, or refreshes a token, for all. */
  async lock(host, options) {
    const o = check.options(options);
    const name = spelled(host);
    return this.#locks.lock(name, name, o);
  }

  // ---- the jar

  #file(call, name, path) {
    const [count, leftOut] = checked(call(this.#id, check.text(path, 'path')), name);
    return { count, leftOut };
  }

  /** Puts in what a cookies.txt has. */
  importFileSync(path) {
    return this.#file(addon.jarImport, 'import', path);
  }

  /** Writes a cookies.txt, which nobody else may read. */
  exportFileSync(path) {
    return this.#file(addon.jarExport, 'export', path);
  }

  get info() {
    return checked(addon.jarInfo(this.#id), 'info');
  }

  get closed() {
    return this.#id === 0;
  }

  close() {
    if (this.#id === 0) return;
    const id = this.#id;
    this.#id = 0;
    collected.unregister(this);
    this.#locks.close();
    this.#waits.close();
    addon.close(id);
  }

  [dispose]() {
    this.close();
  }
}

module.exports = { Jar };
