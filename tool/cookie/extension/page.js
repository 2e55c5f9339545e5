// SPDX-License-Identifier: MIT
// What is shared, with which jar, and the switches. The page opens with the site of the tab first.
import { isBelow } from './cookie.js';

const api = globalThis.browser ?? globalThis.chrome;
const EVERYWHERE = { origins: ['<all_urls>'] };
const $ = (id) => document.getElementById(id);

async function ask(message) {
    show(await api.runtime.sendMessage(message));
}

function words({ settings, links }) {
    if (!settings.on)
        return 'Off: this browser keeps its cookies to itself.';
    const link = links.find((one) => !one.private);
    if (!link?.equal)
        return link?.error ? `Not connected: ${link.error}. Run “shms-cookie browser install”.` : 'Connecting …';
    return `Shared with all browsers and programs of this user that use the jar “${link.jar}”. ` +
        `${link.told} changes went there, ${link.writes} came from there.`;
}

function show(state) {
    $('state').textContent = words(state);
    $('state').classList.toggle('wrong', state.settings.on && !state.links.some((link) => link.equal));
    $('on').checked = state.settings.on;
    $('private').checked = state.settings.private;
    showSites(state.settings);
}

async function hostsWithCookies() {
    const counts = new Map();
    for (const cookie of await api.cookies.getAll({ partitionKey: {} })) {
        const host = cookie.domain.replace(/^\./, '');
        counts.set(host, (counts.get(host) ?? 0) + 1);
    }
    return counts;
}

async function showSites(settings) {
    const counts = await hostsWithCookies();
    const [tab] = await api.tabs.query({ active: true, currentWindow: true });
    const here = tab?.url?.startsWith('http') ? new URL(tab.url).hostname : '';
    const rank = (host) => (host && (isBelow(here, host) || isBelow(host, here)) ? 0 : 1);
    const hosts = [...new Set([...counts.keys(), ...settings.off])];
    hosts.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
    $('sites').replaceChildren(...hosts.map((host) => row(host, counts.get(host) ?? 0, settings)));
}

function row(host, count, settings) {
    const item = document.createElement('li');
    const label = item.appendChild(document.createElement('label'));
    const box = label.appendChild(document.createElement('input'));
    box.type = 'checkbox';
    box.checked = !settings.off.some((site) => isBelow(host, site));
    box.disabled = !box.checked && !settings.off.includes(host); // one above it is off
    box.addEventListener('change', () => {
        const others = settings.off.filter((site) => site !== host);
        ask({ change: { off: box.checked ? others : [...others, host] } });
    });
    label.append(host);
    const number = label.appendChild(document.createElement('span'));
    number.className = 'count';
    number.textContent = count;
    return item;
}

$('on').addEventListener('change', () => ask({ change: { on: $('on').checked } }));
$('private').addEventListener('change', async () => {
    $('private-note').hidden = !$('private').checked || await api.extension.isAllowedIncognitoAccess();
    ask({ change: { private: $('private').checked } });
});
$('grant').addEventListener('click', async () => {
    $('grant').hidden = await api.permissions.request(EVERYWHERE);
});
$('grant').hidden = await api.permissions.contains(EVERYWHERE);
ask({});
