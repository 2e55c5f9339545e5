/* SPDX-License-Identifier: MIT */
/* What the extension and its host are called. The first id is made of the key in extension/manifest.json. */
#ifndef SHMS_COOKIE_EXTENSION_ID_H
#define SHMS_COOKIE_EXTENSION_ID_H

#define HOST_NAME "shmstream.cookies"
#define CHROMIUM_ORIGIN "chrome-extension://nkidlogcadppgcmpcpppemfllimpaggn/"
#define FIREFOX_ID "cookies@shmstream.example"

#endif
