// SPDX-License-Identifier: MIT
// As much of @types/node as index.d.ts needs: the test must not depend on the network.
interface Buffer extends Uint8Array {
  readUInt32LE(offset?: number): number;
  writeUInt32LE(value: number, offset?: number): number;
}
declare module 'stream' {
  class Readable {
    on(event: string, listener: (chunk: Buffer) => void): this;
  }
  class Writable {
    write(chunk: Uint8Array | string): boolean;
    end(): void;
  }
}
