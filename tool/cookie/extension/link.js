// SPDX-License-Identifier: MIT
// One cookie store of this browser, and the host that keeps it equal to the jar. The host decides: here changes are
// told, and what it says is done. tool/cookie/host.c has the messages.
import { fromBrowser, isOver, keyOf, toBrowser } from './cookie.js';

const HOST = 'shmstream.cookies';
const AT_ONCE = 50; // cookies in a message, which must stay below 1 MiB

export class Link {
    // shares(host): whether its cookies are to be shared. onState(link): something to show has changed.
    constructor(api, storeId, shares, onState) {
        Object.assign(this, { api, storeId, shares, onState });
        this.port = null;
        this.unkept = new Map(); // by key: the cookies whose last change no host has put into the jar yet
        this.number = 0;
        this.writes = this.told = 0;
        this.jar = this.error = null;
        this.equal = false;
    }

    async open() {
        const port = this.port = this.api.runtime.connectNative(HOST);
        port.onMessage.addListener((message) => this.take(message));
        port.onDisconnect.addListener(() => this.lost(port));
        this.equal = false;
        this.error = null;
        const cookies = (await this.getAll({})).filter((c) => this.shares(c.host));
        if (this.port !== port)
            return;
        for (let i = 0; i < cookies.length; i += AT_ONCE)
            this.send({ type: 'have', cookies: cookies.slice(i, i + AT_ONCE) });
        this.tellAgain(cookies);
        this.send({ type: 'ready' });
    }

    close() {
        this.port?.disconnect();
        this.port = null;
        this.equal = false;
    }

    lost(port) {
        if (this.port !== port)
            return;
        const ended = this.api.runtime.lastError?.message ?? port.error?.message ?? 'the host has ended';
        this.error ??= ended; // what the host said itself tells more
        this.port = null;
        this.equal = false;
        this.onState(this);
    }

    send(message) {
        try {
            this.port?.postMessage(message);
        } catch (error) {
            this.error = error.message;
        }
    }

    // ---- to the host

    // An overwritten cookie comes as two events in either order; the other one says all.
    changed({ removed, cause, cookie }) {
        const c = fromBrowser(cookie);
        if (!c || (removed && cause === 'overwrite') || !this.shares(c.host))
            return;
        this.tell(removed ? { type: 'gone', cookie: c, evicted: cause === 'evicted' } : { type: 'changed', cookie: c });
    }

    tell(message) {
        const n = ++this.number;
        this.unkept.set(keyOf(message.cookie), { n, cookie: message.cookie });
        this.told++;
        this.send({ ...message, n });
    }

    // What the host before may not have put into the jar, as it is now.
    tellAgain(cookies) {
        const held = new Map(cookies.map((c) => [keyOf(c), c]));
        for (const [key, { cookie }] of [...this.unkept])
            if (this.shares(cookie.host))
                this.tell(held.has(key) ? { type: 'changed', cookie: held.get(key) } : { type: 'gone', cookie });
    }

    // ---- from the host

    take(message) {
        if (message.type === 'write' || message.type === 'delete')
            this.write(message.cookie, message.type === 'delete');
        else if (message.type === 'kept')
            this.kept(message.n);
        else if (message.type === 'error')
            this.error = message.text;
        else if (message.type === 'hello')
            [this.jar, this.error] = [message.jar, null];
        else if (message.type === 'equal')
            this.nowEqual();
    }

    nowEqual() {
        this.equal = true;
        this.onState(this);
    }

    kept(n) {
        for (const [key, change] of this.unkept)
            if (change.n === n)
                return void this.unkept.delete(key);
    }

    async write(c, gone) {
        let cookie = null;
        if (this.shares(c.host)) {
            this.writes++;
            cookie = await this.set(c, gone) ?? await this.look(c);
        }
        this.send({ type: 'done', about: c, cookie });
    }

    // A cookie that is long over deletes its like and nothing else; cookies.remove() would also take those of other
    // paths and of the domain above.
    async set(c, gone) {
        const wanted = toBrowser(c, this.storeId);
        if (gone)
            wanted.expirationDate = 1;
        try {
            const set = await this.api.cookies.set(wanted);
            const found = set && !gone ? fromBrowser(set) : null;
            // What comes back is a cookie for that URL with that name, and perhaps another one.
            return found && keyOf(found) === keyOf(c) ? found : null;
        } catch (error) {
            return null; // refused; look() tells what is there
        }
    }

    async look(c) {
        const key = keyOf(c);
        const found = await this.getAll({ name: c.name, domain: c.host.replace(/^\[|\]$/g, '') });
        return found.find((other) => keyOf(other) === key) ?? null;
    }

    // Those of partitions only come if asked for.
    async getAll(like) {
        const found = await this.api.cookies.getAll({ ...like, storeId: this.storeId, partitionKey: {} });
        return found.map(fromBrowser).filter((c) => c && !isOver(c));
    }
}
