// SPDX-License-Identifier: MIT
'use strict';
const test = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const shms = require('..');
const { immediate, leavesNothing, name, start } = require('./help.js');

const { Jar } = shms;
const url = 'https://a.example.com/x/y';
let why;
try {
  new Jar(name(), { keep: false }).close();
} catch (error) {
  if (error.code !== 'ERR_SHMS_UNSUPPORTED') throw error;
  why = error.message;
}
const jarTest = (what, run) => test(what, { skip: why }, run);
let tough = null;
try {
  tough = require('tough-cookie');
} catch {
  // the tests of the store are skipped
}
const storeTest = (what, run) => test(what, { skip: why ?? (tough === null && 'no tough-cookie (ci/setup node)') }, run);

if (!why) leavesNothing();
const open = (called = name(), options) => new Jar(called, { keep: false, ...options });

jarTest('set, get, each, put, delete', () => {
  const jar = open();
  assert.strictEqual(jar.get(url), '');
  assert.strictEqual(jar.set(url, 'sid=31d4; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60'), null);
  assert.strictEqual(jar.set(new URL(url), Buffer.from('wide=1; Domain=example.com')), null);
  assert.strictEqual(jar.get(url), 'wide=1; sid=31d4');
  assert.strictEqual(jar.get('http://a.example.com/'), '');
  assert.strictEqual(jar.get(url, { api: true }), 'wide=1');
  assert.strictEqual(jar.get(url, { site: 'cross' }), '');
  const [sid] = jar.each('A.example.com');
  const { expires, created, used, number, version, ...rest } = sid;
  assert.deepStrictEqual(rest, {
    host: 'a.example.com', name: 'sid', value: '31d4', path: '/', partition: null, secure: true, httpOnly: true,
    hostOnly: true, sameSite: 'lax', gone: false,
  });
  assert.ok(Math.abs(expires - Date.now() - 60000) < 30000 && created <= new Date() && used !== undefined);
  assert.ok(number > 0n && version >= number);
  assert.deepStrictEqual([...jar].map((c) => [c.name, c.hostOnly, c.expires]).sort()[1], ['wide', false, null]);
  assert.strictEqual(jar.put({ ...sid, value: 'next' }), null);
  assert.strictEqual(jar.get(url), 'wide=1; sid=next');
  assert.strictEqual(jar.each('a.example.com')[0].number, number);
  assert.strictEqual(jar.put({ ...sid, expires: new Date(0) }), null); // that is over
  assert.deepStrictEqual(jar.each('a.example.com'), []);
  assert.strictEqual(jar.delete('example.com', 'wide', { path: '/other' }), false);
  assert.strictEqual(jar.delete('example.com', 'wide'), true);
  assert.strictEqual(jar.delete('example.com', 'wide'), false);
  assert.deepStrictEqual([jar.clear('example.com'), jar.clear(), jar.info.cookies], [0, 0, 0]);
  jar.close();
});

jarTest('what is refused, and why', () => {
  const jar = open();
  for (const [line, code] of [['a=\0', 'CONTROL'], ['a=b\r\nc', 'CONTROL'], ['', 'EMPTY'], ['a=' + 'b'.repeat(5000), 'LONG'],
    ['a=1; Domain=other.test', 'DOMAIN'], ['a=1; Domain=com', 'SUFFIX'], ['__Host-a=1', 'PREFIX']]) {
    const refusal = jar.set('https://example.com/', line);
    assert.strictEqual(refusal?.code, code);
    assert.ok(refusal.message.length > 5);
  }
  assert.strictEqual(jar.set('http://example.com/', 'a=1; Secure').code, 'INSECURE');
  assert.strictEqual(jar.set(url, 'a=1; HttpOnly', { api: true }).code, 'HIDDEN');
  assert.strictEqual(jar.put({ host: 'a.test', name: 'a;b', value: 'c' }).code, 'UNWRITABLE');
  assert.strictEqual(jar.info.cookies, 0);
  jar.close();
});

jarTest('bytes come back, also __proto__, and long lines', () => {
  const jar = open();
  assert.strictEqual(jar.set(url, '__proto__=\xff\xfe'), null);
  assert.strictEqual(jar.get(url), '__proto__=\xff\xfe');
  assert.strictEqual(jar.put(jar.each()[0]), null);
  for (let i = 0; i < 5; i++) assert.strictEqual(jar.set(url, `c${i}=${'v'.repeat(3000)}`), null);
  assert.ok(jar.get(url).length > 15000);
  assert.strictEqual({}.polluted, undefined);
  jar.close();
});

jarTest('partitions, files, read-only', () => {
  const called = name();
  const jar = open(called);
  const partition = 'https://top.test';
  assert.strictEqual(jar.set(url, 'p=1; Secure; Partitioned; Path=/', { partition }), null);
  assert.deepStrictEqual([jar.get(url), jar.get(url, { partition })], ['', 'p=1']);
  assert.strictEqual(jar.delete('a.example.com', 'p'), false);
  assert.strictEqual(jar.delete('a.example.com', 'p', { partition }), true);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'jar-'));
  const file = path.join(folder, 'cookies.txt');
  jar.set(url, 'a=1; Path=/');
  assert.deepStrictEqual(jar.exportFileSync(file), { count: 1, leftOut: 0 });
  jar.clear();
  assert.deepStrictEqual(jar.importFileSync(file), { count: 1, leftOut: 0 });
  assert.throws(() => jar.importFileSync(file + '-'), { code: 'ERR_SHMS_NOT_FOUND' });
  fs.rmSync(folder, { recursive: true });
  const look = open(called, { readOnly: true });
  assert.strictEqual(look.get(url), 'a=1');
  assert.throws(() => look.set(url, 'b=1'), { code: 'ERR_SHMS_READ_ONLY' });
  look.close();
  jar.close();
});

jarTest('changes come, and end', async () => {
  const called = name();
  const jar = open(called);
  const other = open(called);
  const stop = new AbortController();
  const told = [];
  const reading = (async () => {
    for await (const c of jar.changes({ signal: stop.signal })) {
      told.push([c.name, c.gone]);
      if (told.length === 2) break;
    }
  })();
  await immediate();
  other.set(url, 'a=1; Path=/');
  while (told.length === 0) await immediate();
  other.delete('a.example.com', 'a');
  await reading;
  assert.deepStrictEqual(told, [['a', false], ['a', true]]);
  const waiting = jar.changes({ signal: stop.signal }).next();
  stop.abort();
  await assert.rejects(waiting, { name: 'AbortError' });
  const left = jar.changes();
  const none = left.next();
  await immediate();
  await left.return(); // it does not wait for a change
  assert.strictEqual((await none).done, true);
  const closing = jar.changes().next();
  await immediate();
  jar.close();
  await assert.rejects(closing, { code: 'ERR_SHMS_INVALID' });
  other.close();
});

jarTest('locks of hosts', async () => {
  const called = name();
  const jar = open(called);
  const other = open(called);
  const first = await jar.lock('Example.com');
  assert.strictEqual(first.ownerDied, false);
  assert.strictEqual(other.tryLock('example.com'), null);
  await assert.rejects(other.lock('example.com', { timeout: 20 }), { code: 'ERR_SHMS_TIMEOUT' });
  let second = null;
  const taking = jar.lock('EXAMPLE.COM').then((lock) => (second = lock)); // waits for the first, of the same handle
  const third = other.lock('example.com', { timeout: 20000 });
  await immediate();
  assert.strictEqual(second, null);
  first.release();
  first.release();
  await Promise.race([taking.then((lock) => lock.release()), third.then((lock) => lock.release())]);
  await Promise.all([taking, third]).then((locks) => locks.forEach((lock) => lock.release()));
  await assert.rejects(jar.lock('a b'), { code: 'ERR_SHMS_INVALID' });
  jar.close();
  other.close();
});

jarTest('the lock of a process that is killed', async () => {
  const called = name();
  const jar = open(called);
  const role = start('hostLock', called);
  assert.strictEqual(await role.says(), 'has it');
  const taking = jar.lock('example.com', { timeout: 20000 });
  role.child.kill('SIGKILL');
  const lock = await taking;
  assert.strictEqual(lock.ownerDied, true);
  assert.strictEqual(jar.get('https://example.com/'), 'kept=1'); // what it had set stays
  lock.release();
  await role.ends;
  jar.close();
});

jarTest('bad arguments', async () => {
  assert.throws(() => open(5), TypeError);
  assert.throws(() => open('nul\0'), RangeError);
  assert.throws(() => open(name(), { create: 'perhaps' }), RangeError);
  assert.throws(() => open(name(), { create: 'never' }), { code: 'ERR_SHMS_NOT_FOUND' });
  assert.throws(() => open(name(), { suffixList: '/no/such/list' }), { code: 'ERR_SHMS_NOT_FOUND' });
  for (const bad of [-1, 2 ** 40, 1.5, NaN]) assert.throws(() => open(name(), { hostCookies: bad }), RangeError);
  const jar = open();
  for (const bad of ['', 'a', 'https://', 'ftp://example.com/', 'https://a:70000/', 'https://a b/']) {
    assert.throws(() => jar.get(bad), { code: 'ERR_SHMS_INVALID' });
    assert.throws(() => jar.set(bad, 'a=1'), { code: 'ERR_SHMS_INVALID' });
  }
  for (const bad of [undefined, null, 5, {}, Symbol('s'), () => {}]) {
    assert.throws(() => jar.get(bad), TypeError);
    assert.throws(() => jar.set(url, bad), TypeError);
    assert.throws(() => jar.delete(bad, 'a'), TypeError);
    assert.throws(() => jar.delete('a.test', bad), TypeError);
    assert.throws(() => jar.put({ host: 'a.test', name: 'n', value: bad }), TypeError);
    assert.throws(() => jar.put({ host: bad, name: 'n', value: 'v' }), TypeError);
    assert.throws(() => jar.tryLock(bad), TypeError);
    assert.throws(() => jar.importFileSync(bad), TypeError);
  }
  const cookie = { host: 'a.test', name: 'n', value: 'v' };
  for (const change of [{ name: 'a\0' }, { value: '\u0436' }, { path: '/\0' }, { host: 'a\0' }, { sameSite: 'odd' },
    { expires: new Date(NaN) }, { expires: 2 ** 60 }]) {
    assert.throws(() => jar.put({ ...cookie, ...change }), RangeError, Object.keys(change)[0]);
  }
  assert.throws(() => jar.put({ ...cookie, host: '' }), { code: 'ERR_SHMS_INVALID' });
  assert.throws(() => jar.put(), TypeError);
  assert.throws(() => jar.set(url, 'a=\u0436'), RangeError);
  assert.throws(() => jar.get(url, { site: 'here' }), RangeError);
  assert.throws(() => jar.get(url, { partition: '' }), { code: 'ERR_SHMS_INVALID' });
  await assert.rejects(jar.changes({ since: -1n }).next(), { code: 'ERR_SHMS_INVALID' });
  assert.strictEqual(jar.info.cookies, 0);
  // A callback that throws ends only itself.
  assert.strictEqual(jar.set(url, 'a=1'), null);
  assert.throws(() => jar.each().forEach(() => { throw new Error('mine'); }), { message: 'mine' });
  jar.close();
  jar.close();
  assert.strictEqual(jar.closed, true);
  for (const call of [() => jar.get(url), () => jar.set(url, 'a=1'), () => jar.each(), () => jar.put(cookie), () => jar.version,
    () => jar.delete('a.test', 'n'), () => jar.clear(), () => jar.info, () => jar.tryLock('a.test'), () => jar.exportFileSync('x')]) {
    assert.throws(call, { code: 'ERR_SHMS_INVALID' });
  }
  await assert.rejects(jar.lock('a.test'), { code: 'ERR_SHMS_INVALID' });
});

jarTest('what is collected is closed', async () => {
  const called = name();
  (() => open(called))();
  for (let i = 0; i < 50 && shms.list().some((r) => r.name === called); i++) {
    global.gc();
    await immediate();
  }
  assert.ok(!shms.list().some((r) => r.name === called));
});

// ---- tough-cookie

storeTest('hosts of all kinds behind tough-cookie', () => {
  const { JarStore } = require('../tough.js');
  const jar = open(name());
  const cookies = new tough.CookieJar(new JarStore(jar));
  for (const host of ['[::1]:8080', '127.0.0.1', 'a.example.com.', 'bücher.example.com', 'localhost']) {
    cookies.setCookieSync('a=1', `http://${host}/`);
    assert.strictEqual(cookies.getCookieStringSync(`http://${host}/`), 'a=1', host);
    assert.strictEqual(jar.get(`http://${host}/`), 'a=1', host);
    cookies.setCookieSync('a=; Max-Age=0', `http://${host}/`);
    assert.strictEqual(jar.info.cookies, 0, host);
  }
  jar.close();
});

storeTest('a CookieJar of tough-cookie on a jar', async () => {
  const { JarStore } = require('../tough.js');
  const called = name();
  const [jar, other] = [open(called), open(called)];
  const one = new tough.CookieJar(new JarStore(jar));
  const two = new tough.CookieJar(new JarStore(other));
  await one.setCookie('sid=s3; HttpOnly; Secure; SameSite=Strict; Path=/', url);
  await one.setCookie('wide=1; Domain=example.com; Max-Age=600', url);
  assert.strictEqual(await two.getCookieString(url), 'wide=1; sid=s3');
  assert.strictEqual(two.getCookieStringSync('https://b.example.com/x/'), 'wide=1');
  assert.strictEqual(jar.get(url), 'wide=1; sid=s3');
  const [sid, wide] = await two.store.getAllCookies();
  assert.deepStrictEqual([sid.key, sid.httpOnly, sid.secure, sid.hostOnly, sid.sameSite, sid.expires], ['sid', true, true, true, 'strict', 'Infinity']);
  assert.ok(wide.expires instanceof Date && wide.hostOnly === false && wide.creationIndex > sid.creationIndex);
  const before = jar.each('a.example.com')[0];
  await two.setCookie('sid=s4; HttpOnly; Secure; SameSite=Strict; Path=/', url); // replaced, made when it was
  const after = jar.each('a.example.com')[0];
  assert.deepStrictEqual([after.value, after.number, after.created], ['s4', before.number, before.created]);
  await two.setCookie('sid=; Path=/; HttpOnly; Secure; Expires=Thu, 01 Jan 1970 00:00:01 GMT', url);
  assert.strictEqual(await one.getCookieString(url), 'wide=1');
  // Copies: what a program does to one is not in the jar.
  (await one.getCookies(url))[0].value = 'changed';
  assert.strictEqual(await two.getCookieString(url), 'wide=1');
  await assert.rejects(one.setCookie('a=1; Domain=co.uk', 'https://x.co.uk/'));
  await one.removeAllCookies();
  assert.strictEqual(jar.info.cookies, 0);
  jar.close();
  other.close();
});

storeTest('all calls of a Store, with callbacks and promises', async () => {
  const { JarStore } = require('../tough.js');
  const jar = open();
  const store = new JarStore(jar);
  assert.ok(store instanceof tough.Store && store.synchronous);
  const cookie = tough.Cookie.parse('a=1; Path=/p; Max-Age=600');
  Object.assign(cookie, { domain: 'example.com', hostOnly: true });
  await store.putCookie(cookie);
  assert.ok(Math.abs(jar.each()[0].expires - Date.now() - 600000) < 30000);
  let inside = null;
  store.findCookie('example.com', '/p', 'a', (error, found) => (inside = [error, found.value]));
  assert.deepStrictEqual(inside, [null, '1']); // at once: synchronous
  assert.strictEqual(await store.findCookie('example.com', '/', 'a'), null);
  assert.strictEqual(await store.findCookie(null, '/p', 'a'), null);
  assert.deepStrictEqual((await store.findCookies('b.example.com', null, true)).map((c) => c.key), ['a']);
  assert.deepStrictEqual(await store.findCookies('example.com', '/pq', true), []);
  store.findCookies('example.com', '/p/q', (error, found) => (inside = found.length));
  assert.strictEqual(inside, 1);
  const next = cookie.clone();
  Object.assign(next, { value: '2', domain: 'example.com', hostOnly: true });
  await store.updateCookie(cookie, next);
  assert.strictEqual(jar.get('https://example.com/p'), 'a=2');
  // A get that thinks it expired does not remove what another process has renewed.
  jar.put({ ...jar.each()[0], expires: Date.now() + 300 });
  const [soon] = await store.findCookies('example.com', '/p', true);
  assert.ok(soon.expiryTime() > Date.now() + 500);
  await store.removeCookie('example.com', '/p', 'a');
  await store.removeCookie('example.com', '/p', 'a'); // it is gone already
  for (const p of ['/1', '/2', '/3']) jar.put({ host: 'example.com', name: 'n', value: 'v', path: p });
  jar.set('https://example.com/', 'p=1; Secure; Partitioned', { partition: 'https://top.test' });
  await store.removeCookies('example.com', '/1');
  assert.strictEqual((await store.getAllCookies()).length, 2);
  await store.removeCookies('example.com', null);
  await store.removeAllCookies();
  assert.strictEqual(jar.info.cookies, 1); // a partition's cookie is no business of it
  const top = new JarStore(jar, { partition: 'https://top.test' });
  assert.strictEqual((await top.getAllCookies()).length, 1);
  await top.removeAllCookies();
  await assert.rejects(store.putCookie(Object.assign(cookie, { domain: 'com', hostOnly: false })), { code: 'SUFFIX' });
  assert.throws(() => new JarStore('cookies'), TypeError);
  const odd = new tough.Cookie({ key: '__proto__', value: '1', domain: 'example.com', hostOnly: true, path: '/' });
  await store.putCookie(odd); // CVE-2023-26136
  assert.strictEqual({}[`/`], undefined);
  assert.strictEqual((await store.findCookies('example.com', '/', true))[0].key, '__proto__');
  // A callback that throws: the error is the caller's.
  assert.throws(() => store.getAllCookies(() => { throw new Error('mine'); }), { message: 'mine' });
  jar.close();
  await assert.rejects(store.getAllCookies(), { code: 'ERR_SHMS_INVALID' });
});

storeTest('a hundred programs at once lose nothing', async () => {
  const { JarStore } = require('../tough.js');
  const called = name();
  const jar = open(called);
  const server = http.createServer((request, response) => {
    response.setHeader('Set-Cookie', `v${request.url.slice(1)}=1; Path=/`);
    response.end();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = `http://127.0.0.1:${server.address().port}`;
  const visits = Array.from({ length: 100 }, async (_, i) => {
    const store = new tough.CookieJar(new JarStore(jar));
    const lines = await new Promise((resolve, reject) => http.get(`${at}/${i}`, { agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.headers['set-cookie']));
    }).on('error', reject));
    for (const line of lines) await store.setCookie(line, `${at}/${i}`);
  });
  await Promise.all(visits);
  await new Promise((resolve) => server.close(resolve));
  assert.strictEqual(jar.get(at).split('; ').length, 100);
  jar.close();
});
