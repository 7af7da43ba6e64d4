import { randomBytes } from 'node:crypto';

import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { S3Client } from '@aws-sdk/client-s3';

import type { Endpoint } from './workload';
import { makeClient, sha256 } from './workload';

const READERS = 4;

/** Objects that were acknowledged, and what they hold. */
export class StoredObjects {
  readonly bucket: string;
  readonly #digests = new Map<string, string>();

  constructor(bucket: string) {
    this.bucket = bucket;
  }

  get keys(): readonly string[] {
    return [...this.#digests.keys()];
  }

  async put(client: S3Client, key: string, sizeBytes: number): Promise<void> {
    const body = randomBytes(sizeBytes);
    await client.send(new PutObjectCommand({ Bucket: this.bucket, Key: key, Body: body }));
    this.#digests.set(key, sha256(body));
  }

  forget(key: string): void {
    this.#digests.delete(key);
  }

  /** Reads keys (default: all) and returns those that are not what was stored, with the reason. */
  async mismatches(at: Endpoint, keys: readonly string[] = this.keys): Promise<string[]> {
    const client = makeClient(at, 8);
    const wrong: string[] = [];
    const left = keys.values();
    const readOn = async (): Promise<void> => {
      for (const Key of left) {
        try {
          const answer = await client.send(new GetObjectCommand({ Bucket: this.bucket, Key }));
          const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
          if (sha256(bytes) !== this.#digests.get(Key)) wrong.push(`${Key}: other bytes`);
        } catch (error) {
          wrong.push(`${Key}: ${String(error)}`);
        }
      }
    };
    await Promise.all(Array.from({ length: READERS }, readOn));
    client.destroy();
    return wrong;
  }
}
