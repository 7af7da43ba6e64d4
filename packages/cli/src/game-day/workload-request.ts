import { createHash } from 'node:crypto';

import type { Clock, Random } from '@azimuth/common';

import type { History } from './history';
import type { S3Answer, S3Call, S3Session } from './s3-session';
import type { LogPosition } from './witness';

/** What every request of a workload needs. */
export interface RequestContext {
  readonly bucket: string;
  /** A bucket with versions. */
  readonly versionedBucket: string;
  readonly history: History;
  readonly clock: Clock;
  readonly random: Random;
}

/** A call with its times, and what was answered; null when nobody knows whether it took effect. */
export interface TimedAnswer {
  readonly answer: S3Answer;
  readonly calledAt: number;
  readonly returnedAt: number;
}

/** Mostly inline bodies, some in copies, few in shards: the way of a body is chosen by its size. */
const SIZES_BYTES: readonly number[] = [
  ...[1, 1, 700, 700, 700, 700, 4_096, 4_096, 4_096, 8_192, 8_192, 8_192],
  ...[20_000, 20_000, 131_073, 400_000],
];
/** One body in so many is this large. */
const LARGE_EVERY = 100;
const LARGE_BYTES = 1_500_000;
const TOKEN_BYTES = 32;

let bodyCount = 0;

/** Bytes that no other write of this run has, so that their MD5 names the write. */
export function newBody(random: Random): Buffer {
  bodyCount += 1;
  const isLarge = bodyCount % LARGE_EVERY === 0;
  const sizeBytes = isLarge ? LARGE_BYTES : (SIZES_BYTES[random.below(SIZES_BYTES.length)] ?? 1);
  const token = createHash('sha256').update(`${bodyCount}/`).update(random.bytes(8));
  return Buffer.alloc(Math.max(sizeBytes, TOKEN_BYTES), token.digest());
}

export function md5(bytes: Buffer): Buffer {
  return createHash('md5').update(bytes).digest();
}

/** The ETag of a body, or of an object of one part with that body. */
export function hasEtag(body: Buffer, etag: string): boolean {
  const digest = md5(body);
  return etag.endsWith('-1')
    ? etag === `${md5(digest).toString('hex')}-1`
    : etag === digest.toString('hex');
}

export function etagOf({ headers }: S3Answer): string {
  return String(headers['etag']).replaceAll('"', '');
}

export async function sendTimed(
  session: S3Session,
  call: S3Call,
  { clock }: RequestContext,
): Promise<TimedAnswer> {
  const calledAt = clock.monotonicMs();
  const answer = await session.send(call);
  return { answer, calledAt, returnedAt: clock.monotonicMs() };
}

/** @throws Error with status and code, for an answer that is no success. */
export function requireOk(answer: S3Answer): S3Answer {
  if (answer.status !== 200) throw new Error(describe(answer));
  return answer;
}

export function isDone({ status, body }: S3Answer): boolean {
  // A completion may say 200 first and fail after.
  return status >= 200 && status < 300 && !body.includes('<Error>');
}

export function describe({ status, body }: S3Answer): string {
  const code = /<Code>([^<]+)</.exec(body.toString('utf8', 0, 1_000))?.[1] ?? '';
  return `${status} ${code}`.trim();
}

/** Commands that decide an answer; other ones only follow from it. */
const COMMANDS: ReadonlySet<string> = new Set([
  'CommitVersion',
  'DeleteVersion',
  'CompleteUpload',
  'AbortUpload',
]);

/**
 * Where in a log the answer holds, from `x-azimuth-log-positions`: at its last command or, when
 * none was sent, at its last look at the key. Null when the gateway does not say.
 */
export function positionOf(
  { headers }: S3Answer,
  wanted: 'command' | 'query' | 'any' = 'any',
): LogPosition | null {
  const text = headers['x-azimuth-log-positions'];
  if (typeof text !== 'string') return null;
  const steps = text.split(', ').map(parseStep);
  const command = steps.findLast(({ name }) => COMMANDS.has(name));
  const query = steps.findLast(({ name }) => name === 'GetVersion');
  if (wanted !== 'query' && command !== undefined) return placed(command, 'command');
  if (wanted !== 'command' && query !== undefined) return placed(query, 'query');
  return null;
}

interface Step {
  readonly name: string;
  readonly group: string;
  readonly index: number;
}

function parseStep(text: string): Step {
  const [, name = '', group = '', index = ''] = /^(\w+)@([\w-]+)=(\d+|\?)$/.exec(text) ?? [];
  return { name, group, index: Number(index) };
}

function placed({ group, index }: Step, kind: LogPosition['kind']): LogPosition | null {
  return Number.isSafeInteger(index) && index > 0 ? { group, index, kind } : null;
}
