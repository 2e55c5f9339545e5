// SPDX-License-Identifier: MIT
// Keeps a link for each cookie store that is shared: the ordinary one, and that of private windows if asked.
import { isBelow } from './cookie.js';
import { Link } from './link.js';

const api = globalThis.browser ?? globalThis.chrome;
const PRIVATE = ['1', 'firefox-private'];
const LONGEST_WAIT_MS = 30000;

const links = new Map(); // by storeId
const waits = new Map();
let settings = { on: true, private: false, off: [] };
const loaded = load();

async function load() {
    settings = { ...settings, ...await api.storage.local.get(Object.keys(settings)) };
}

function shares(host) {
    return settings.on && !settings.off.some((site) => isBelow(host, site));
}

// ---- links

async function wantedStores() {
    if (!settings.on)
        return [];
    const ordinary = api.runtime.getURL('').startsWith('moz-') ? 'firefox-default' : '0';
    if (!settings.private || !await api.extension.isAllowedIncognitoAccess())
        return [ordinary];
    const stores = await api.cookies.getAllCookieStores();
    return [ordinary, ...stores.map((store) => store.id).filter((id) => PRIVATE.includes(id))];
}

async function apply() {
    await loaded;
    const wanted = await wantedStores();
    for (const [id, link] of links)
        if (!wanted.includes(id)) {
            link.close();
            links.delete(id);
        }
    for (const id of wanted)
        if (!links.has(id))
            links.set(id, new Link(api, id, shares, onState));
    for (const link of links.values())
        if (!link.port)
            await link.open().catch((error) => { link.error = error.message; });
    show();
}

function onState(link) {
    if (link.equal)
        waits.delete(link.storeId);
    else if (!link.port && links.get(link.storeId) === link)
        openLater(link);
    show();
}

// The host may be installed, or the jar be there again, at any time.
function openLater(link) {
    const wait = waits.get(link.storeId) ?? 500;
    waits.set(link.storeId, Math.min(wait * 2, LONGEST_WAIT_MS));
    setTimeout(apply, wait);
}

function show() {
    const all = [...links.values()];
    const text = !settings.on ? 'off' : all.length && all.every((link) => link.equal) ? '' : '!';
    api.action.setBadgeText({ text });
}

// ---- events

// In the order in which they came, each behind the loading of the settings.
api.cookies.onChanged.addListener(async (change) => {
    await loaded;
    const link = links.get(change.cookie.storeId);
    if (link)
        link.changed(change);
    else if (!links.size)
        await apply();
});

async function change(changed) {
    await loaded;
    settings = { ...settings, ...changed };
    await api.storage.local.set(changed);
    for (const link of links.values())
        link.close(); // so that both are walked anew
    await apply();
}

function state() {
    return {
        settings,
        links: [...links.values()].map(({ storeId, jar, error, equal, writes, told }) =>
            ({ private: PRIVATE.includes(storeId), jar, error, equal, writes, told })),
    };
}

api.runtime.onMessage.addListener((message, sender, answer) => {
    const done = message.change ? change(message.change) : apply();
    done.then(() => answer(state()));
    return true; // answered later
});

api.runtime.onStartup.addListener(apply);
api.runtime.onInstalled.addListener(apply);
api.windows?.onCreated.addListener(apply);
api.windows?.onRemoved.addListener(apply);
api.permissions.onAdded.addListener(apply);
api.alarms.create('look', { periodInMinutes: 1 });
api.alarms.onAlarm.addListener(apply);
apply();
