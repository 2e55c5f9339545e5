// SPDX-License-Identifier: MIT
// Compiled, never run: what index.d.ts promises.
import { Channel, Dict, Jar, Message, ShmsError, Stream, codes, list, unlink } from 'shmstream';
import { JarStore } from 'shmstream/tough';
import { Store } from 'tough-cookie';

export async function sample(signal: AbortSignal): Promise<number> {
  const stream = new Stream('visits', 4, { keep: true, atomic: true, create: 'or-open', maxSize: 1 << 20 });
  const section = stream.tryLock();
  if (section?.ownerDied) section.repaired();
  section?.release();
  const visits: number = await stream.withLock((held) => {
    if (held.ownerDied) held.rollback();
    stream.write(new Uint8Array(4), 0);
    return stream.read(0, 4).readUInt32LE();
  }, { timeout: 1000, signal });
  for await (const version of stream.changes({ signal })) if (version > 5n) break;
  stream.buffer.writeUInt32LE(5);
  stream.close();

  const jobs = new Channel('jobs', 'receive', { size: 4096, kind: 'broadcast', slow: 'drop' });
  for await (const job of jobs) if (job.length > 5) break;
  const job: Buffer | null = await jobs.receive({ timeout: 5 });
  const peeked: Message | null = await jobs.peek({ timeout: 5, signal });
  if (peeked && peeked.tries < 3 && peeked.data.length > 0) peeked.release();
  else peeked?.abort();
  jobs.tryPeek()?.release();
  jobs.readable().on('data', (chunk) => chunk.length);

  const dict = new Dict('config', 65536, { evict: 'lru' });
  const version: bigint = dict.set('k', 'v', { ttl: 5 });
  dict.delete('k', { ifVersion: version });
  for (const [key, value] of dict) key.toUpperCase() + value.length;
  (await dict.lock('k')).release();
  const saved: number = dict.saveFileSync('file') + dict.loadFileSync('file');
  const jar = new Jar('cookies', { hostCookies: 200 });
  const refusal = jar.set(new URL('https://example.com/'), 'a=1; Path=/', { site: 'lax', partition: null });
  if (refusal?.code === 'SUFFIX') refusal.message.trim();
  const line: string = jar.get('https://example.com/', { api: true });
  for (const cookie of jar) jar.put({ ...cookie, expires: new Date() });
  (await jar.lock('example.com', { timeout: 5, signal })).release();
  const store: Store = new JarStore(jar, { partition: line });
  if (store.synchronous) jar.close();
  const error = new ShmsError('x');
  unlink('visits');
  return visits + saved + (job?.length ?? 0) + list().length + codes.E_TIMEOUT + error.errno;
}

// @ts-expect-error: a name is no number
new Stream(5);
// @ts-expect-error: no such role
new Channel('jobs', 'both');
// @ts-expect-error: a version is a bigint
new Dict('d').set('k', 'v', { ifVersion: 5 });
