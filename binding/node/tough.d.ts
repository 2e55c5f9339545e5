// SPDX-License-Identifier: MIT
import { Store } from 'tough-cookie';
import { Jar } from './index';

/** For new CookieJar(new JarStore(jar)) of tough-cookie 4 and newer. The jar stays the caller's to close. */
export class JarStore extends Store {
  constructor(jar: Jar, options?: { partition?: string });
  readonly jar: Jar;
}
