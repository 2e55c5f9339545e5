// SPDX-License-Identifier: MIT
// Cookies as a browser has them, and as the host has them (tool/cookie/state.h).

const toSameSite = { unspecified: 'default', no_restriction: 'none', lax: 'lax', strict: 'strict' };
const fromSameSite = { default: 'unspecified', none: 'no_restriction', lax: 'lax', strict: 'strict' };

// An IPv6 address has brackets in the jar.
function hostOf(domain) {
    const host = domain.replace(/^\./, '');
    return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}

// What is no URL is not told apart, either.
function isSameSite(host, site) {
    const top = URL.canParse(site) ? new URL(site).hostname : host;
    return host === top || host.endsWith('.' + top);
}

// null: one that only this browser can tell apart from another, so it stays here.
export function fromBrowser(cookie) {
    const host = hostOf(cookie.domain);
    const partition = cookie.partitionKey?.topLevelSite;
    if (partition && cookie.partitionKey.hasCrossSiteAncestor && isSameSite(host, partition))
        return null;
    return {
        host, name: cookie.name, value: cookie.value, path: cookie.path, ...(partition && { partition }),
        expires: cookie.session ? 0 : Math.max(1, Math.floor(cookie.expirationDate)),
        secure: cookie.secure, http_only: cookie.httpOnly, host_only: cookie.hostOnly,
        same_site: toSameSite[cookie.sameSite] ?? 'default',
    };
}

// Firefox lists cookies that have expired until it cleans up.
export function isOver(c) {
    return c.expires > 0 && c.expires * 1000 <= Date.now();
}

// What cookies.set() takes. With a domain it would be sent to hosts below it, too.
export function toBrowser(c, storeId) {
    return {
        url: `${c.secure ? 'https' : 'http'}://${c.host}${c.path}`,
        name: c.name, value: c.value, path: c.path, storeId,
        ...(!c.host_only && { domain: c.host }),
        ...(c.partition && { partitionKey: { topLevelSite: c.partition } }),
        ...(c.expires && { expirationDate: c.expires }),
        secure: c.secure, httpOnly: c.http_only, sameSite: fromSameSite[c.same_site] ?? 'unspecified',
    };
}

// Two cookies with the same key are the same one.
export function keyOf(c) {
    return [c.partition ?? '', c.host, c.host_only, c.name, c.path].join('\n');
}

export function isBelow(host, site) {
    return host === site || host.endsWith('.' + site);
}
