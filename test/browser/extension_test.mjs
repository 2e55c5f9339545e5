// SPDX-License-Identifier: MIT
// The extension's own logic, in node, with a browser that is made up: what the real ones cannot be made to do at will.
//     node --test extension_test.mjs
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';

// A copy that tells node what browsers know from the manifest.
const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'shms-extension-'));
after(() => fs.rmSync(copy, { recursive: true }));
fs.cpSync(new URL('../../tool/cookie/extension/', import.meta.url), copy, { recursive: true });
fs.writeFileSync(path.join(copy, 'package.json'), '{ "type": "module" }');
const FOLDER = pathToFileURL(copy + '/');
const { fromBrowser, isBelow, isOver, keyOf, toBrowser } = await import(new URL('cookie.js', FOLDER));

function raw(name, value, more = {}) {
    return { name, value, domain: 'example.com', hostOnly: true, path: '/', secure: false, httpOnly: false, session: true,
             sameSite: 'unspecified', storeId: '0', ...more };
}

function listeners() {
    const all = [];
    return { addListener: (f) => all.push(f), call: (...words) => Promise.all(all.map((f) => f(...words))) };
}

// A browser with native ports that the test holds the other end of.
function makeBrowser() {
    const b = { store: [], ports: [], saved: {}, stores: ['0'], incognito: true, badge: null };
    b.connectNative = () => {
        const port = { sent: [], onMessage: listeners(), onDisconnect: listeners(), open: true,
                       postMessage: (m) => port.sent.push(structuredClone(m)), disconnect: () => { port.open = false; } };
        b.ports.push(port);
        return port;
    };
    b.set = async (c) => {
        b.store = b.store.filter((o) => o.name !== c.name || o.storeId !== c.storeId);
        if (c.expirationDate === 1)
            return null;
        const made = raw(c.name, c.value, { storeId: c.storeId, domain: new URL(c.url).hostname });
        b.store.push(made);
        return b.made ?? made;
    };
    b.api = {
        runtime: { connectNative: b.connectNative, lastError: null, getURL: () => 'chrome-extension://x/', onMessage: listeners(),
                   onStartup: listeners(), onInstalled: listeners() },
        cookies: { onChanged: listeners(), set: b.set, getAllCookieStores: async () => b.stores.map((id) => ({ id })),
                   getAll: async (like) => b.store.filter((c) => c.storeId === like.storeId && (!like.name || c.name === like.name)) },
        storage: { local: { get: async () => b.saved, set: async (more) => Object.assign(b.saved, more) } },
        extension: { isAllowedIncognitoAccess: async () => b.incognito },
        action: { setBadgeText: ({ text }) => { b.badge = text; } },
        alarms: { create() {}, onAlarm: listeners() },
        permissions: { onAdded: listeners() }, windows: { onCreated: listeners(), onRemoved: listeners() },
    };
    return b;
}

// Nothing in the made-up browser waits for more than promises.
const settled = () => new Promise(setImmediate);
let number = 0;

async function start(b) {
    globalThis.chrome = b.api;
    await import(new URL(`background.js?${++number}`, FOLDER));
    await settled();
    return b.ports[0];
}

const types = (port) => port.sent.map((m) => m.type);
const told = (port) => port.sent.filter((m) => ['changed', 'gone'].includes(m.type)).map(({ type, cookie, evicted }) =>
    `${type} ${cookie.name}=${cookie.value}${evicted ? ' evicted' : ''}`);
const ask = (b, change) => new Promise((done) => b.api.runtime.onMessage.call({ change }, null, done));

test('cookies go to the host and back as what they are', () => {
    for (const c of [
        raw('a', '1'), raw('a', '1', { hostOnly: false, domain: '.example.com' }), raw('a', '', { path: '/x', secure: true, sameSite: 'no_restriction' }),
        raw('a', '1', { session: false, expirationDate: 1e10, httpOnly: true, sameSite: 'strict' }), raw('a', '1', { domain: '[::1]' }),
        raw('p', '1', { secure: true, partitionKey: { topLevelSite: 'https://top.example', hasCrossSiteAncestor: true } }),
    ]) {
        const wanted = toBrowser(fromBrowser(c), '0');
        assert.equal(wanted.domain, c.hostOnly ? undefined : 'example.com');
        assert.equal(wanted.partitionKey?.topLevelSite, c.partitionKey?.topLevelSite);
        assert.equal(wanted.expirationDate, c.expirationDate);
        assert.equal(new URL(wanted.url).protocol, c.secure ? 'https:' : 'http:');
        for (const same of ['name', 'value', 'path', 'secure', 'httpOnly', 'sameSite'])
            assert.equal(wanted[same], c[same]);
    }
    assert.equal(fromBrowser(raw('a', '1', { domain: '::1' })).host, '[::1]');
    assert.equal(fromBrowser(raw('a', '1', { session: false, expirationDate: 99.9 })).expires, 99);
    assert.equal(fromBrowser(raw('a', '1', { sameSite: 'new' })).same_site, 'default');
    assert.ok(isOver({ expires: 99 }) && !isOver({ expires: 0 }) && !isOver({ expires: Date.now() / 1000 + 9 }));
    assert.ok(isBelow('a.b', 'b') && isBelow('b', 'b') && !isBelow('ab', 'b'));
    const keys = [{}, { host: 'b' }, { name: 'b' }, { path: '/b' }, { host_only: false }, { partition: 'b' }].map((more) =>
        keyOf({ host: 'a', name: 'a', path: '/', host_only: true, ...more }));
    assert.equal(new Set(keys).size, keys.length);
});

test('a partition that only this browser can tell apart stays here', () => {
    const key = { topLevelSite: 'https://example.com', hasCrossSiteAncestor: true };
    assert.equal(fromBrowser(raw('a', '1', { secure: true, partitionKey: key })), null);
    assert.ok(fromBrowser(raw('a', '1', { secure: true, partitionKey: { ...key, hasCrossSiteAncestor: false } })));
});

test('the walk comes in parts, then what changes', async () => {
    const b = makeBrowser();
    for (let i = 0; i < 120; i++)
        b.store.push(raw(`n${i}`, 'v'.repeat(4000)));
    b.store.push(raw('private', '1', { storeId: '1' }));
    const port = await start(b);
    assert.deepEqual(types(port), ['have', 'have', 'have', 'ready']);
    assert.equal(port.sent.flatMap((m) => m.cookies ?? []).length, 120);
    assert.ok(port.sent.every((m) => JSON.stringify(m).length < 1048576));
    assert.equal(b.badge, '!');
    port.onMessage.call({ type: 'hello', jar: 'j' });
    port.onMessage.call({ type: 'equal' });
    assert.equal(b.badge, '');
});

test('an overwrite is told once, in whatever order its two events come', async () => {
    const b = makeBrowser(), port = await start(b), event = b.api.cookies.onChanged;
    await event.call({ removed: true, cause: 'overwrite', cookie: raw('a', '1') });
    await event.call({ removed: false, cause: 'explicit', cookie: raw('a', '2') });
    await event.call({ removed: false, cause: 'explicit', cookie: raw('b', '2') });
    await event.call({ removed: true, cause: 'overwrite', cookie: raw('b', '1') });
    for (const cause of ['explicit', 'expired', 'expired_overwrite', 'evicted'])
        await event.call({ removed: true, cause, cookie: raw(cause, '1') });
    await event.call({ removed: false, cause: 'explicit', cookie: raw('private', '1', { storeId: '1' }) });
    assert.deepEqual(told(port), ['changed a=2', 'changed b=2', 'gone explicit=1', 'gone expired=1', 'gone expired_overwrite=1',
                                  'gone evicted=1 evicted']);
});

test('what the host says is done, and what the browser holds then is told', async () => {
    const b = makeBrowser(), port = await start(b), c = fromBrowser(raw('a', '1'));
    port.onMessage.call({ type: 'write', cookie: c });
    await settled();
    assert.deepEqual(port.sent.at(-1), { type: 'done', about: c, cookie: c });
    port.onMessage.call({ type: 'delete', cookie: c });
    await settled();
    assert.deepEqual(port.sent.at(-1), { type: 'done', about: c, cookie: null });
    b.made = raw('a', 'of the domain above', { domain: '.com', hostOnly: false }); // what cookies.set() found
    port.onMessage.call({ type: 'write', cookie: c });
    await settled();
    assert.deepEqual(port.sent.at(-1), { type: 'done', about: c, cookie: c });
    b.api.cookies.set = () => Promise.reject(new Error('refused'));
    port.onMessage.call({ type: 'write', cookie: { ...c, value: '2' } });
    await settled();
    assert.equal(port.sent.at(-1).cookie.value, '1');
});

test('what no host has kept is told again to the next one, as it is now', async () => {
    const b = makeBrowser(), port = await start(b), event = b.api.cookies.onChanged;
    for (const name of ['kept', 'changed', 'deleted'])
        await event.call({ removed: false, cause: 'explicit', cookie: raw(name, '1') });
    port.onMessage.call({ type: 'kept', n: 1 });
    b.store = [raw('kept', '1'), raw('changed', '2')];
    port.onDisconnect.call();
    assert.equal(b.badge, '!');
    await event.call({ removed: false, cause: 'explicit', cookie: raw('late', '1') });
    b.store.push(raw('late', '1'));
    await b.api.alarms.onAlarm.call();
    const next = b.ports[1];
    assert.deepEqual(types(next).filter((t) => t !== 'changed' && t !== 'gone'), ['have', 'ready']);
    assert.equal(types(next).at(-1), 'ready');
    assert.deepEqual(told(next), ['changed changed=2', 'gone deleted=1', 'changed late=1']);
});

test('a site that is off, and all', async () => {
    const b = makeBrowser();
    b.store = [raw('a', '1'), raw('b', '1', { domain: 'www.other.example' })];
    const first = await start(b);
    await ask(b, { off: ['other.example'] });
    assert.ok(!first.open);
    const port = b.ports[1];
    assert.deepEqual(port.sent[0].cookies.map((c) => c.name), ['a']);
    await b.api.cookies.onChanged.call({ removed: false, cause: 'explicit', cookie: b.store[1] });
    const c = fromBrowser(raw('b', '2', { domain: 'other.example' }));
    port.onMessage.call({ type: 'write', cookie: c });
    await settled();
    assert.deepEqual(port.sent.at(-1), { type: 'done', about: c, cookie: null });
    assert.deepEqual(told(port), []);
    assert.deepEqual((await ask(b, { on: false })).links, []);
    assert.ok(!port.open && b.ports.length === 2 && b.badge === 'off');
});

test('private windows are left alone unless asked, and allowed', async () => {
    const b = makeBrowser();
    b.stores = ['0', '1', 'firefox-container-1'];
    b.store = [raw('secret', '1', { storeId: '1' })];
    await start(b);
    assert.equal(b.ports.length, 1);
    b.incognito = false;
    await ask(b, { private: true });
    assert.equal(b.ports.length, 2);
    b.incognito = true;
    b.api.windows.onCreated.call();
    await settled();
    assert.equal(b.ports.length, 3);
    assert.equal(b.ports[2].sent[0].cookies[0].name, 'secret');
    b.stores = ['0'];
    b.api.windows.onRemoved.call();
    await settled();
    assert.ok(!b.ports[2].open && b.ports[1].open);
});
