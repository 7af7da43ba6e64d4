import { StoreError } from '@azimuth/common';
import { decodeRecord } from '@azimuth/proto';
import type { SessionRequest } from '@azimuth/proto';
import { z } from 'zod';

const count = z.number().min(0).max(Number.MAX_SAFE_INTEGER);
const TEXT_LENGTH_MAX = 256;
const text = z.string().max(TEXT_LENGTH_MAX);

const NODES_MAX = 32;
const nodeIds = z.array(text).max(NODES_MAX);
const address = z.object({
  ...{ nodeId: text.min(1), zone: text.min(1), host: text.min(1) },
  port: z.number().int().min(1).max(65_535),
});
const intent = z.discriminatedUnion('kind', [
  z.object({
    ...{ kind: z.literal('change'), add: z.array(address).max(NODES_MAX), remove: nodeIds },
  }),
  z.object({
    ...{ kind: z.literal('lead'), nodeId: text.nullable(), zone: text.nullable() },
    mayLead: z.boolean(),
  }),
]);

const requestSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('propose'), group: text, command: z.looseObject({ name: text }) }),
  z.object({ kind: z.literal('query'), group: text, name: text, args: z.looseObject({}) }),
  z.object({ kind: z.literal('watch'), since: count, waitMs: count, withIdentities: z.boolean() }),
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
  z.object({ kind: z.literal('leaders') }),
  z.object({ kind: z.literal('lead'), group: text, target: text }),
  z.object({
    ...{ kind: z.literal('members'), group: text, expectedIndex: count },
    ...{ voters: nodeIds, learners: nodeIds },
  }),
  z.object({ kind: z.literal('intent'), intent, isDryRun: z.boolean() }),
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
  if (!isCommonRequest(request) && !requestSchema.safeParse(request).success) {
    throw new StoreError('INVALID_ARGUMENT', { reason: 'malformed request' });
  }
  return request as SessionRequest;
}

/** Commands and queries by hand: the schema, which they would pass too, takes longer than a read. */
function isCommonRequest(request: unknown): boolean {
  if (!isObject(request) || !isText(request['group'])) return false;
  const { kind, name, command, args } = request;
  if (kind === 'query') return isText(name) && isObject(args);
  return kind === 'propose' && isObject(command) && isText(command['name']);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= TEXT_LENGTH_MAX;
}
