import { StoreError } from '@azimuth/common';

import type { LogDisk, LogFile } from '../../src/disk/log-disk';

/** Files in memory that can be copied, damaged and made to fail. */
export class RamDisk implements LogDisk {
  readonly #files = new Map<string, { bytes: Buffer }>();
  readonly calls: string[] = [];
  isSyncFailing = false;
  /** That have not been closed. */
  openFiles = 0;

  list(): Promise<readonly string[]> {
    this.calls.push('list');
    return Promise.resolve([...this.#files.keys()]);
  }

  open(name: string): Promise<LogFile> {
    let file = this.#files.get(name);
    if (file === undefined) {
      file = { bytes: Buffer.alloc(0) };
      this.#files.set(name, file);
    }
    this.openFiles += 1;
    return Promise.resolve(this.#handle(name, file));
  }

  remove(name: string): Promise<void> {
    this.#files.delete(name);
    return Promise.resolve();
  }

  rename(source: string, target: string): Promise<void> {
    const file = this.#files.get(source);
    if (file !== undefined) this.#files.set(target, file);
    this.#files.delete(source);
    return Promise.resolve();
  }

  syncDirectory(): Promise<void> {
    this.calls.push('sync directory');
    return Promise.resolve();
  }

  copy(): RamDisk {
    const copy = new RamDisk();
    for (const [name, { bytes }] of this.#files) copy.put(name, bytes);
    return copy;
  }

  contents(name: string): Buffer {
    return Buffer.from(this.#files.get(name)?.bytes ?? Buffer.alloc(0));
  }

  put(name: string, bytes: Buffer): void {
    this.#files.set(name, { bytes: Buffer.from(bytes) });
  }

  /** Turns a bit over under the feet of who has the file open. */
  flipLive(name: string, offset: number): void {
    const file = this.#files.get(name);
    file?.bytes.writeUInt8(file.bytes.readUInt8(offset) ^ 1, offset);
  }

  #handle(name: string, file: { bytes: Buffer }): LogFile {
    return {
      get sizeBytes() {
        return file.bytes.length;
      },
      write: (offset, bytes) => {
        this.#note(`write ${name}`);
        const grown = Buffer.alloc(Math.max(file.bytes.length, offset + bytes.length));
        file.bytes.copy(grown);
        bytes.copy(grown, offset);
        file.bytes = grown;
        return Promise.resolve();
      },
      sync: () => {
        this.#note(`sync ${name}`);
        if (this.isSyncFailing) return Promise.reject(new StoreError('DISK_FENCED'));
        return Promise.resolve();
      },
      read: (offset, lengthBytes) => Buffer.from(file.bytes.subarray(offset, offset + lengthBytes)),
      truncate: (sizeBytes) => {
        const cut = Buffer.alloc(sizeBytes);
        file.bytes.copy(cut, 0, 0, sizeBytes);
        file.bytes = cut;
        return Promise.resolve();
      },
      close: () => {
        this.openFiles -= 1;
        return Promise.resolve();
      },
    };
  }

  #note(call: string): void {
    if (this.calls.at(-1) !== call) this.calls.push(call);
  }
}
