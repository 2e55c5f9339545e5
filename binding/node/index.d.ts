// SPDX-License-Identifier: MIT
/// <reference types="node" />
import { Readable, Writable } from 'stream';

declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol; // as newer libraries of TypeScript have it
  }
}

/** Each code by its name without SHMS_: codes.E_TIMEOUT is -5. */
export const codes: Readonly<Record<string, number>>;

/** `code` is ERR_SHMS_ and the name of the library's code; `errno` what the system said, or 0. */
export class ShmsError extends Error {
  code: string;
  errno: number;
  /** With ERR_SHMS_MISSED of a channel: how many messages. */
  missed?: bigint;
}

export interface WaitOptions {
  /** Milliseconds; undefined waits for ever, 0 tries once. Rejects with ERR_SHMS_TIMEOUT. */
  timeout?: number;
  /** Rejects with an AbortError. */
  signal?: AbortSignal;
}

interface OpenOptions {
  /** The region stays when nobody has it open, until it is unlinked. */
  keep?: boolean;
  create?: 'or-open' | 'only' | 'never';
  /** Permission bits of a new region; 0o600 if it is not given. */
  mode?: number;
  /** Milliseconds that opening, and the few calls that may wait at once, wait at most: 5000; 0 tries once. */
  openTimeout?: number;
}

export interface StreamOptions extends OpenOptions {
  readOnly?: boolean;
  /** Sections happen completely or not at all. */
  atomic?: boolean;
  sparse?: boolean;
  /** Bytes that the region can grow to. */
  maxSize?: number;
}

/** What happens between lock and unlock. */
export interface Section {
  /** An owner died inside its section: the data may be half-written. Told until repaired() is called. */
  readonly ownerDied: boolean;
  repaired(): void;
  /** A second call does nothing. */
  release(): void;
  /** Releases, and undoes what write() and resize() did, where the region is atomic. */
  rollback(): void;
  [Symbol.dispose](): void;
}

export class Stream {
  /** A name of null: a region without a name. A size of 0: one that exists. */
  constructor(name: string | null, size?: number, options?: StreamOptions);

  tryLock(): Section | null;
  tryLockShared(): Section | null;
  lock(options?: WaitOptions): Promise<Section>;
  lockShared(options?: WaitOptions): Promise<Section>;
  /** If fn throws, what it wrote is rolled back where the region is atomic. */
  withLock<T>(fn: (section: Section) => T | Promise<T>, options?: WaitOptions): Promise<T>;

  /** Copies. Take the lock where others may write, or use snapshot(). */
  read(offset?: number, length?: number): Buffer;
  write(data: Uint8Array | string, offset?: number): void;
  /** A copy of one moment between two sections, without the lock. */
  snapshot(offset?: number, length?: number): Buffer;
  /**
   * The memory itself, one Buffer a handle; its length is 0 after close(). After resize() there is a new one.
   * Throws ERR_SHMS_NO_EXTERNAL where the runtime takes no memory of others (Electron), ERR_SHMS_READ_ONLY.
   */
  readonly buffer: Buffer;
  /** Inside a section. */
  resize(size: number): void;

  readonly version: bigint;
  /** The version, each time it has moved. */
  changes(options?: { signal?: AbortSignal }): AsyncGenerator<bigint, never, void>;
  /** Tells of bytes that were written outside a section. */
  notify(): void;

  readonly size: number;
  readonly existed: boolean;
  readonly closed: boolean;
  /** What waits is rejected. While a lock is awaited, this takes up to 50 ms. */
  close(): void;
  [Symbol.dispose](): void;
}

export interface ChannelOptions extends OpenOptions {
  /** Bytes of the ring, 4096 or more; 0 or not given: a channel that exists. */
  size?: number;
  /** Each message goes to one receiver, or to each. */
  kind?: 'queue' | 'broadcast';
  /** What a full ring of a broadcast does about the slowest receiver; 'expel' puts it out at once. */
  slow?: 'block' | 'drop' | 'expel';
  /** A new receiver of a broadcast begins with so many of the last messages. */
  history?: number;
  oneSender?: boolean;
  oneReceiver?: boolean;
}

export interface ChannelInfo {
  kind: 'queue' | 'broadcast';
  slow: 'block' | 'drop' | 'expel';
  senders: number;
  receivers: number;
  capacity: number;
  used: number;
  sent: number;
  received: number;
  dropped: number;
  redelivered: number;
  sendersDied: number;
}

/** A message that was peeked. If it is neither released nor put back, and its process ends, it is delivered again. */
export interface Message {
  readonly data: Buffer;
  /** Counted from 1n; 0n: unknown. */
  readonly number: bigint;
  /** Of a queue: how often it was delivered before, and not released. */
  readonly tries: number;
  /** Done with it. A second call does nothing. Of a broadcast: ERR_SHMS_MISSED, it was overwritten meanwhile. */
  release(): void;
  /** Puts it back: it is delivered again, perhaps after newer ones. */
  abort(): void;
  /** As abort(), unless it was released. */
  [Symbol.dispose](): void;
}

/** One role a handle. Iterating receives until all senders have closed. */
export class Channel {
  constructor(name: string, role: 'send' | 'receive' | 'look', options?: ChannelOptions);

  send(data: Uint8Array | string, options?: WaitOptions): Promise<void>;
  /** false: there is no room. */
  trySend(data: Uint8Array | string): boolean;
  /** Each chunk is a message; its end closes the channel. */
  writable(): Writable;

  /** A message; null when all senders have closed. Rejects with ERR_SHMS_DIED, ERR_SHMS_MISSED. */
  receive(options?: WaitOptions): Promise<Buffer | null>;
  /** undefined: none now. */
  tryReceive(): Buffer | null | undefined;
  /**
   * At least once: a message that is delivered again unless it is released. A handle has one at a time; until it is
   * released or put back, what else would receive through this handle waits.
   */
  peek(options?: WaitOptions): Promise<Message | null>;
  /** undefined: none now. */
  tryPeek(): Message | null | undefined;
  /** Of the message that was received last. A number of 0n is unknown. */
  readonly message: { number: bigint; missed: bigint; tries: number; size: number };
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer>;
  /** Each message is a chunk; its end closes the channel. */
  readable(): Readable;

  /** Ends every wait of this channel once, in other processes too. */
  notify(): void;
  readonly info: ChannelInfo;
  readonly closed: boolean;
  close(): void;
  [Symbol.dispose](): void;
}

export type Key = string | Uint8Array;

export interface DictOptions extends OpenOptions {
  readOnly?: boolean;
  maxSize?: number;
  cellSize?: number;
  ring?: number;
  evict?: 'none' | 'lru';
  keyMax?: number;
  valueMax?: number;
  /** What keys are when they come out. */
  keys?: 'utf8' | 'buffer';
}

export interface SetOptions {
  /** Only if there is no record: else ERR_SHMS_EXISTS. */
  ifAbsent?: boolean;
  /** Only if the record has this version: else ERR_SHMS_CHANGED. */
  ifVersion?: bigint;
  /** Milliseconds to live, 1 at least. */
  ttl?: number;
  /** Or when it expires; a number counts milliseconds since 1970. What is past is over at once. */
  expires?: Date | number;
}

export interface DictRecord<K = string> {
  key: K;
  value: Buffer;
  version: bigint;
  expires: Date | null;
}

export interface Change<K = string> {
  key: K;
  version: bigint;
  /** The key has no record any more. */
  gone: boolean;
  expired: boolean;
  evicted: boolean;
}

/** A lease of a key. */
export interface KeyLock {
  readonly ownerDied: boolean;
  release(): void;
  [Symbol.dispose](): void;
}

/** Records by key. With the option keys: 'buffer', K is Buffer. */
export class Dict<K = string> implements Iterable<[K, Buffer]> {
  constructor(name: string, size?: number, options?: DictOptions);

  get(key: Key): Buffer | undefined;
  getRecord(key: Key): Omit<DictRecord<K>, 'key'> | undefined;
  has(key: Key): boolean;
  /** The version of the record. */
  set(key: Key, value: Uint8Array | string, options?: SetOptions): bigint;
  /** Whether there was a record. */
  delete(key: Key, options?: { ifVersion?: bigint }): boolean;
  /** The sum; a counter that is absent begins with `start`. */
  add(key: Key, delta?: bigint | number, options?: SetOptions & { start?: bigint | number }): bigint;

  records(): Generator<DictRecord<K>, void, void>;
  keys(): Generator<K, void, void>;
  values(): Generator<Buffer, void, void>;
  entries(): Generator<[K, Buffer], void, void>;
  [Symbol.iterator](): Generator<[K, Buffer], void, void>;

  readonly version: bigint;
  /** From the version `since` on, or from now. ERR_SHMS_MISSED: walk over the records, and begin anew. */
  changes(options?: { since?: bigint; signal?: AbortSignal }): AsyncGenerator<Change<K>, never, void>;

  tryLock(key: Key): KeyLock | null;
  lock(key: Key, options?: WaitOptions): Promise<KeyLock>;

  /** How many records were written, as they are at one moment. The file is replaced as a whole. */
  saveFileSync(path: string): number;
  /** How many records were set; equal keys are replaced, others stay. */
  loadFileSync(path: string): number;

  readonly info: {
    size: number; maxSize: number; records: number; cells: number; cellsFree: number;
    evicted: number; expired: number; locks: number; keyMax: number; valueMax: number;
  };
  readonly closed: boolean;
  close(): void;
  [Symbol.dispose](): void;
}

export interface JarOptions extends OpenOptions {
  readOnly?: boolean;
  maxSize?: number;
  /** Cookies of one host, and of the jar; 180 and 3300. */
  hostCookies?: number;
  jarCookies?: number;
  /** A file of public suffixes in place of libpsl's. */
  suffixList?: string;
}

export interface RequestOptions {
  /** Where the request comes from: the site itself or none, another site's link (by POST), a page of another site. */
  site?: 'same' | 'lax' | 'lax-unsafe' | 'cross';
  /** A script asks: HttpOnly cookies are hidden. */
  api?: boolean;
  /** The site of the page at the top, as https://example.com. */
  partition?: string | null;
}

/** Why the rules refused a cookie. */
export interface Refusal {
  readonly code: 'CONTROL' | 'EMPTY' | 'LONG' | 'DOMAIN' | 'SUFFIX' | 'INSECURE' | 'SHADOWS' | 'HIDDEN' | 'CROSS_SITE' | 'PREFIX' | 'UNWRITABLE' | 'UNKNOWN';
  readonly message: string;
}

export interface NewCookie {
  host: string;
  name: string;
  value: string;
  /** "/" */
  path?: string;
  partition?: string | null;
  secure?: boolean;
  httpOnly?: boolean;
  /** true: it is sent to this host only. */
  hostOnly?: boolean;
  sameSite?: 'none' | 'lax' | 'strict' | null;
  /** A number counts milliseconds since 1970; null: with the session. */
  expires?: Date | number | null;
}

export interface JarCookie extends Required<NewCookie> {
  expires: Date | null;
  partition: string | null;
  created: Date;
  used: Date;
  /** The change that made it, which gives the order of cookies; and the last one. */
  number: bigint;
  version: bigint;
  /** Told by changes(): it was deleted, has expired, or made room. */
  gone: boolean;
}

/** A lease of a host. */
export interface HostLock {
  readonly ownerDied: boolean;
  release(): void;
  [Symbol.dispose](): void;
}

/** HTTP cookies that processes share. Texts are as in Node's headers: each character is a byte. */
export class Jar implements Iterable<JarCookie> {
  /** "cookies". It stays without members, unless all said keep: false. */
  constructor(name?: string, options?: JarOptions);

  /** Takes the value of a Set-Cookie header in: null, or why it was refused. */
  set(url: string | URL, line: string | Uint8Array, options?: RequestOptions): Refusal | null;
  /** The value of the Cookie header for a request; '' where there is none to send. */
  get(url: string | URL, options?: RequestOptions): string;

  each(host?: string | null): JarCookie[];
  [Symbol.iterator](): Iterator<JarCookie>;
  /** Past the rules that need a request. */
  put(cookie: NewCookie): Refusal | null;
  /** Whether there was one. */
  delete(host: string, name: string, options?: { path?: string; partition?: string | null }): boolean;
  /** How many they were. */
  clear(host?: string | null): number;

  readonly version: bigint;
  /** From the version `since` on, or from now. ERR_SHMS_MISSED: look at each(), and begin anew. */
  changes(options?: { since?: bigint; signal?: AbortSignal }): AsyncGenerator<JarCookie, never, void>;

  /** One process logs in, or refreshes a token, for all. */
  tryLock(host: string): HostLock | null;
  lock(host: string, options?: WaitOptions): Promise<HostLock>;

  /** cookies.txt, in and out. */
  importFileSync(path: string): { count: number; leftOut: number };
  exportFileSync(path: string): { count: number; leftOut: number };

  readonly info: { cookies: number; places: number; size: number; maxSize: number };
  readonly closed: boolean;
  close(): void;
  [Symbol.dispose](): void;
}

/** Removes a name; those that have it open go on with their memory. */
export function unlink(name: string): void;

export interface RegionInfo {
  name: string;
  state: 'live' | 'kept' | 'dead' | 'foreign';
  kind: 'stream' | 'channel' | 'dict' | 'unknown';
  size: number;
  memoryBytes: number;
  members: number;
  waiters: number;
  locked: boolean;
  ownerPid: number;
  ownerDied: boolean;
  keep: boolean;
  atomic: boolean;
  mode: number;
  uid: number;
  version: bigint;
}

/** The regions that this user may look into. */
export function list(): RegionInfo[];
