import type { RepairRecord, RepairReport } from '@azimuth/proto';

import type { CommandContext } from './command-context';
import type { RootState } from './root-state';

/** Of the one record. */
export const REPAIR_RECORD = '';
const NONE: RepairRecord = { reportedMs: 0, report: null, censusRequestedMs: 0 };

/** Fields in one order, whatever order the proposer had: the bytes must be those of every replica. */
export function reportRepair(
  state: RootState,
  { report }: { readonly report: RepairReport },
  { nowMs, index }: CommandContext,
): null {
  const { holder, shardsToDo, bytesToDo, bytesPerSecond, blobsAtRisk, groupsUnproven } = report;
  const { censusRequestedMs } = state.get('repair', REPAIR_RECORD) ?? NONE;
  const ordered = {
    ...{ holder, shardsToDo, bytesToDo, bytesPerSecond, blobsAtRisk, groupsUnproven },
    census: report.census === null ? null : orderedCensus(report.census),
  };
  const record = { reportedMs: nowMs, report: ordered, censusRequestedMs };
  state.put('repair', REPAIR_RECORD, record, index);
  return null;
}

function orderedCensus(census: NonNullable<RepairReport['census']>): typeof census {
  const { startedMs, finishedMs, groupsTotal, groupsDone, blobs, shards, shardsMissing } = census;
  return { startedMs, finishedMs, groupsTotal, groupsDone, blobs, shards, shardsMissing };
}

export function requestCensus(
  state: RootState,
  { nowMs, index }: CommandContext,
): { readonly requestedMs: number } {
  const { reportedMs, report } = state.get('repair', REPAIR_RECORD) ?? NONE;
  const record = { reportedMs, report, censusRequestedMs: nowMs };
  state.put('repair', REPAIR_RECORD, record, index);
  return { requestedMs: nowMs };
}
