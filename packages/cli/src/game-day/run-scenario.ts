import type { Clock, Random } from '@azimuth/common';

import type { ClusterAccess } from '../cluster-access';
import { explain } from '../object-explanation';
import type { ClusterUnderTest } from './cluster-under-test';
import { History } from './history';
import { outageOf } from './outage';
import type { Outage } from './outage';
import { S3Session } from './s3-session';
import type { S3Endpoint } from './s3-session';
import type { Scenario } from './scenario';
import { Workload } from './workload';
import type { RequestFailure, RequestKind } from './workload';

export interface RunOptions {
  readonly cluster: ClusterUnderTest;
  readonly access: ClusterAccess;
  readonly bucket: string;
  /** With versions. */
  readonly versionedBucket: string;
  readonly clientCount: number;
  /** Of the workload before the fault, under it, and after it was healed; each. */
  readonly phaseSeconds: number;
  readonly clock: Clock;
  readonly random: Random;
}

export interface ScenarioResult {
  readonly name: string;
  readonly story: string;
  readonly seconds: number;
  readonly operations: number;
  /** Of them, those that were also replayed in the order of the Raft logs. */
  readonly witnessed: number;
  readonly keys: number;
  readonly requests: { readonly read: number; readonly write: number };
  readonly failures: { readonly read: number; readonly write: number };
  /** How often each answer that is no success was given. */
  readonly failureReasons: Readonly<Record<string, number>>;
  /** See `outageOf`. */
  readonly outageMs: Outage;
  readonly outageMsMax: Scenario['outageMsMax'];
  /** From the end of the fault to "0 shards missing". */
  readonly protectedAfterMs: number;
  readonly shardsVerified: number;
  /** Broken promises, in words; empty when the scenario passed. */
  readonly violations: readonly string[];
  readonly undecidedKeys: readonly string[];
  /** Seconds from the start: what the chart shows. */
  readonly timeline: Timeline;
}

export interface Timeline {
  readonly faultAt: number;
  readonly healedAt: number;
  readonly endAt: number;
  readonly failuresAt: readonly { readonly kind: RequestKind; readonly at: number }[];
}

const REQUEST_TIMEOUT_MS = 10_000;
const READ_BACK_ATTEMPTS = 5;
const READ_BACK_PAUSE_MS = 1_000;

/** Runs a workload around a fault and checks every promise. */
export async function runScenario(
  scenario: Scenario,
  options: RunOptions,
): Promise<ScenarioResult> {
  const { cluster, clock, clientCount, phaseSeconds } = options;
  const history = new History();
  const endpoint = endpointOf(cluster);
  const sessions = Array.from(
    { length: clientCount },
    () => new S3Session(endpoint, clock, REQUEST_TIMEOUT_MS),
  );
  const workload = new Workload({ ...options, sessions, history });
  const startMs = clock.monotonicMs();
  let isHurt = false;
  try {
    workload.start();
    await clock.sleep(phaseSeconds * 1000);
    const faultMs = clock.monotonicMs();
    isHurt = true;
    await scenario.inject(cluster);
    await clock.sleep(phaseSeconds * 1000);
    const healMs = clock.monotonicMs();
    await scenario.heal(cluster);
    isHurt = false;
    const healedMs = clock.monotonicMs();
    await clock.sleep(phaseSeconds * 1000);
    await workload.stop();
    await cluster.waitUntilProtected();
    const protectedMs = clock.monotonicMs();
    await readBack(workload, sessions, clock);
    const census = await verifyShards(history, options);
    const verdict = history.check();
    const outageMs = outageOf(workload.failures, cluster.faultsSince(faultMs), healMs);
    const violations = [
      ...verdict.violations,
      ...census.violations,
      ...outageViolations(outageMs, scenario.outageMsMax),
    ];
    const seconds = (atMs: number): number => (atMs - startMs) / 1000;
    return {
      name: scenario.name,
      story: scenario.story,
      seconds: seconds(clock.monotonicMs()),
      operations: verdict.operations,
      witnessed: verdict.witnessed,
      keys: verdict.keys,
      requests: { ...workload.counts },
      failures: { read: countOf(workload, 'read'), write: countOf(workload, 'write') },
      failureReasons: countReasons(workload.failures),
      outageMs,
      outageMsMax: scenario.outageMsMax,
      protectedAfterMs: protectedMs - healedMs,
      shardsVerified: census.verified,
      violations,
      undecidedKeys: verdict.undecidedKeys,
      timeline: {
        faultAt: seconds(faultMs),
        healedAt: seconds(healedMs),
        endAt: seconds(protectedMs),
        failuresAt: workload.failures.map(({ kind, atMs }) => ({ kind, at: seconds(atMs) })),
      },
    };
  } finally {
    // The next scenario must not suffer from one that was cut short.
    if (isHurt) await scenario.heal(cluster).catch(() => undefined);
    await workload.stop();
    for (const session of sessions) session.close();
  }
}

/** Of a scenario that could not be run to its end, which is a failure. */
export function brokenOffResult(
  { name, story, outageMsMax }: Scenario,
  error: unknown,
): ScenarioResult {
  const reason = error instanceof Error ? error.message : String(error);
  const none = { read: 0, write: 0 };
  return {
    ...{ name, story, outageMsMax, seconds: 0, operations: 0, witnessed: 0, keys: 0 },
    ...{ requests: none, failures: none, failureReasons: {}, outageMs: none },
    ...{ protectedAfterMs: 0, shardsVerified: 0, undecidedKeys: [] },
    violations: [`it could not be run to its end: ${reason}`],
    timeline: { faultAt: 0, healedAt: 0, endAt: 0, failuresAt: [] },
  };
}

function endpointOf(cluster: ClusterUnderTest): S3Endpoint {
  const { endpoint, name, accessKey, secretKey } = cluster.region();
  return { url: endpoint, region: name, accessKey, secretKey };
}

function countOf(workload: Workload, kind: RequestKind): number {
  return workload.failures.filter((failure) => failure.kind === kind).length;
}

function countReasons(failures: readonly RequestFailure[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind, reason } of failures) {
    const name = `${kind}: ${reason}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Every key is read at the end; what cannot be read then has been lost. */
async function readBack(
  workload: Workload,
  sessions: readonly S3Session[],
  clock: Clock,
): Promise<void> {
  const [session] = sessions;
  if (session === undefined) return;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await workload.readAll(session);
      return;
    } catch (error) {
      if (attempt === READ_BACK_ATTEMPTS) throw error;
      await clock.sleep(READ_BACK_PAUSE_MS);
    }
  }
}

/** The census of what the workload left: every shard read by its node, where it belongs. */
async function verifyShards(
  history: History,
  { access, bucket, versionedBucket }: RunOptions,
): Promise<{ readonly verified: number; readonly violations: readonly string[] }> {
  const violations: string[] = [];
  let verified = 0;
  const locations = [
    ...history.keys.map((key) => ({ bucket, key })),
    ...history.versionedKeys.map((key) => ({ bucket: versionedBucket, key })),
  ];
  for (const location of locations) {
    const { key } = location;
    const explanation = await explain(access, location, null).catch(() => null);
    for (const blob of explanation?.blobs ?? []) {
      const missing = blob.shards.filter(({ presence }) => presence !== 'intact');
      verified += blob.shards.length - missing.length;
      for (const { shardIndex, presence } of missing) {
        violations.push(`${key}: shard ${shardIndex} of blob ${blob.blobId} is ${presence}`);
      }
      if (blob.isReduced) violations.push(`${key}: blob ${blob.blobId} is still reduced`);
    }
  }
  return { verified, violations };
}

function outageViolations(
  outageMs: ScenarioResult['outageMs'],
  allowed: Scenario['outageMsMax'],
): string[] {
  if (allowed === null) return [];
  return (['read', 'write'] as const)
    .filter((kind) => outageMs[kind] > allowed[kind])
    .map((kind) => `${kind}s failed ${Math.round(outageMs[kind])} ms after the fault`);
}
