// SPDX-License-Identifier: MIT
'use strict';
// require('shmstream/tough'): a jar behind tough-cookie (4 and newer), so that what uses that shares its cookies with
// other processes. tough-cookie's rules decide; the jar's are looked at besides.
const { Cookie, Store } = require('tough-cookie');
const { Jar } = require('./lib/jar.js');

const AT_LEAST_MS = 1000;

/** Gives what a function returns to a callback, or as a promise where there is none. */
function answer(callback, give) {
  if (typeof callback !== 'function') {
    return new Promise((resolve) => {
      resolve(give());
    });
  }
  let result;
  try {
    result = give();
  } catch (error) {
    return callback(error, undefined);
  }
  return callback(null, result);
}

// tough-cookie has an IPv6 address without brackets.
const toHost = (domain) => (domain.includes(':') && !domain.startsWith('[') ? `[${domain}]` : domain);
const toDomain = (host) => (host.startsWith('[') ? host.slice(1, -1) : host);

/** A host, and those above it. A dot at its end belongs to it. */
function upwards(domain) {
  const parts = domain.split('.');
  return parts.map((_, i) => parts.slice(i).join('.')).filter((host) => host !== '').map(toHost);
}

const pathMatches = (path, of) => path === of || (path.startsWith(of) && (of.endsWith('/') || path[of.length] === '/'));

function fromJar(c) {
  const cookie = new Cookie({
    key: c.name, value: c.value, domain: toDomain(c.host), path: c.path, secure: c.secure, httpOnly: c.httpOnly, hostOnly: c.hostOnly,
    sameSite: c.sameSite ?? undefined, expires: c.expires ?? 'Infinity', creation: c.created, lastAccessed: c.used,
    pathIsDefault: false,
  });
  cookie.creationIndex = Number(c.number); // the order of all processes, not that of this one
  return cookie;
}

/** Of what its server said, what the jar knows. An age counts from now on: tough-cookie keeps the first creation. */
function toJar(cookie, partition) {
  const ms = cookie.expiryTime(cookie.lastAccessed instanceof Date ? cookie.lastAccessed : new Date());
  return {
    host: toHost(cookie.domain ?? ''), name: cookie.key, value: cookie.value, path: cookie.path ?? '/', secure: Boolean(cookie.secure),
    httpOnly: Boolean(cookie.httpOnly), hostOnly: Boolean(cookie.hostOnly), partition,
    sameSite: ['none', 'lax', 'strict'].includes(cookie.sameSite) ? cookie.sameSite : null,
    expires: ms === undefined || ms === Infinity ? null : Math.min(Math.max(Math.floor(ms), 1), 9e12),
  };
}

class JarStore extends Store {
  #partition;

  /** jar: an open Jar, which stays the caller's. With a partition, only its cookies are seen, else those of none. */
  constructor(jar, options = {}) {
    super();
    if (!(jar instanceof Jar)) throw new TypeError('"jar" must be a Jar');
    this.synchronous = true;
    this.jar = jar;
    this.#partition = options.partition ?? null;
    Object.defineProperty(this, 'jar', { enumerable: false }); // no part of what is serialized
  }

  #each(host) {
    return this.jar.each(host).filter((c) => c.partition === this.#partition);
  }

  findCookie(domain, path, key, callback) {
    return answer(callback, () => {
      const found = domain ? this.#each(toHost(domain)).find((c) => c.name === key && c.path === path) : undefined;
      return found === undefined ? null : fromJar(found);
    });
  }

  findCookies(domain, path, allowSpecialUseDomain, callback) {
    if (typeof allowSpecialUseDomain === 'function') callback = allowSpecialUseDomain;
    return answer(callback, () => {
      if (!domain) return [];
      const cookies = upwards(domain).flatMap((host) => this.#each(host))
        .filter((c) => typeof path !== 'string' || pathMatches(path, c.path)).map(fromJar);
      // A get of tough-cookie removes what it finds expired, and another process may have renewed it by then. So it is
      // given nothing that expires while it looks; what has expired, the jar leaves out.
      const soon = Date.now() + AT_LEAST_MS;
      for (const c of cookies) if (c.expires instanceof Date && c.expires.getTime() < soon) c.expires = new Date(soon);
      return cookies;
    });
  }

  putCookie(cookie, callback) {
    return answer(callback, () => {
      const why = this.jar.put(toJar(cookie, this.#partition));
      if (why !== null) throw Object.assign(new Error(`the jar refuses the cookie: ${why.message}`), { code: why.code });
    });
  }

  updateCookie(oldCookie, newCookie, callback) {
    return this.putCookie(newCookie, callback); // the jar knows itself which one it replaces
  }

  #delete(c) {
    this.jar.delete(c.host, c.name, { path: c.path, partition: c.partition });
  }

  removeCookie(domain, path, key, callback) {
    return answer(callback, () => {
      this.jar.delete(toHost(domain), key, { path, partition: this.#partition });
    });
  }

  removeCookies(domain, path, callback) {
    return answer(callback, () => {
      for (const c of this.#each(toHost(domain))) if (path === null || path === undefined || c.path === path) this.#delete(c);
    });
  }

  removeAllCookies(callback) {
    return answer(callback, () => {
      for (const c of this.#each()) this.#delete(c);
    });
  }

  /** In the order of their creation. */
  getAllCookies(callback) {
    return answer(callback, () => this.#each().sort((a, b) => Number(a.number - b.number)).map(fromJar));
  }
}

module.exports = { JarStore };
