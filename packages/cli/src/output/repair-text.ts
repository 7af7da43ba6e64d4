import type { CensusRecord, RepairRecord, RepairReport } from '@azimuth/proto';

import { renderBytes } from './table';

/** A report that is older by the clock of this machine may be of a curator that is gone. */
const REPORT_OLD_MS = 60_000;

/** What repair has to do, for how long, and what has been read back since. */
export function renderRepair(repair: RepairRecord | null, nowMs: number): string[] {
  const report = repair?.report ?? null;
  if (repair === null || report === null) return ['repair: no curator has reported yet'];
  const ageMs = nowMs - repair.reportedMs;
  const isBusy = report.shardsToDo > 0 || report.groupsUnproven > 0;
  const isOld = isBusy && ageMs > REPORT_OLD_MS;
  const age = isOld ? ` (said ${renderDuration(ageMs / 1_000)} ago)` : '';
  return [`repair: ${workOf(report)}${age}`, ...riskOf(report), `census: ${censusOf(report)}`];
}

function workOf({ shardsToDo, bytesToDo, bytesPerSecond }: RepairReport): string {
  if (shardsToDo === 0) return 'nothing to do';
  const what = `${shardsToDo} shards (${renderBytes(bytesToDo)}) to do`;
  if (bytesPerSecond < 1) return what;
  const eta = renderDuration(bytesToDo / bytesPerSecond);
  return `${what}, at ${renderBytes(bytesPerSecond)}/s, about ${eta} left`;
}

function riskOf({ blobsAtRisk }: RepairReport): string[] {
  const parts = blobsAtRisk.flatMap((blobs, losses) => {
    if (blobs === 0) return [];
    const left = losses === 0 ? 'no further node' : `${losses} more node${losses === 1 ? '' : 's'}`;
    return [`${blobs} blobs survive ${left}`];
  });
  return parts.length === 0 ? [] : [`at risk: ${parts.join(', ')}`];
}

function censusOf({ census, groupsUnproven }: RepairReport): string {
  if (census !== null && census.finishedMs === null) return runningCensus(census);
  const last = census === null ? 'none yet' : lastCensus(census);
  if (groupsUnproven === 0) return last;
  return `${groupsUnproven} placement groups wait to be read back; last: ${last}`;
}

function runningCensus({ groupsDone, groupsTotal, blobs, shardsMissing }: CensusRecord): string {
  const percent = groupsTotal === 0 ? 100 : Math.floor((100 * groupsDone) / groupsTotal);
  const missing = shardsMissing === 0 ? '' : `, ${shardsMissing} shards missing`;
  return `running, ${percent} %: ${groupsDone} of ${groupsTotal} groups, ${blobs} blobs${missing}`;
}

function lastCensus({ shardsMissing, blobs, shards, finishedMs }: CensusRecord): string {
  const at = new Date(finishedMs ?? 0).toISOString();
  return `${shardsMissing} shards missing, census of ${blobs} blobs (${shards} shards) at ${at}`;
}

function renderDuration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3_600).toFixed(1)} h`;
}
