import { StoreError } from '@azimuth/common';
import { decodeRecord } from '@azimuth/proto';
import type { SessionRequest } from '@azimuth/proto';
import { z } from 'zod';

const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const text = z.string().max(256);

const requestSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('propose'), group: text, command: z.looseObject({ name: text }) }),
  z.object({ kind: z.literal('query'), group: text, name: text, args: z.looseObject({}) }),
  z.object({ kind: z.literal('watch'), since: count, waitMs: count }),
  z.object({
    kind: z.literal('heartbeat'),
    heartbeat: z.object({
      nodeId: text,
      incarnation: text,
      disks: z
        .array(
          z.object({
            diskId: text,
            state: z.enum(['online', 'full', 'fenced', 'lost']),
            capacityBytes: count,
            usedBytes: count,
            shardCount: count,
            corruptShards: count,
          }),
        )
        .max(1_000),
    }),
  }),
  z.object({
    kind: z.literal('witness'),
    group: text,
    blobIds: z.array(z.string().regex(/^[0-9a-f]{32}$/)).max(1_000),
  }),
  z.object({ kind: z.literal('status') }),
]);

/**
 * The request in a frame. The arguments of commands and queries are checked where they are used.
 *
 * @throws StoreError INVALID_ARGUMENT
 */
export function decodeRequest(body: Buffer): SessionRequest {
  let request: unknown;
  try {
    request = decodeRecord(body);
  } catch {
    throw new StoreError('INVALID_ARGUMENT', { reason: 'not a record' });
  }
  if (!requestSchema.safeParse(request).success) {
    throw new StoreError('INVALID_ARGUMENT', { reason: 'malformed request' });
  }
  return request as SessionRequest;
}
