import { join } from 'node:path';

import type { Clock, FaultSource, Logger } from '@azimuth/common';
import type { ClusterSettings } from '@azimuth/placement';

import { faultyLogDisk } from '../disk/faulty-log-disk';
import { openFileLogDisk } from '../disk/file-log-disk';
import type { LogDisk } from '../disk/log-disk';
import { GroupStateMachine } from '../state-machine/group-state-machine';
import type { CommandSet, CommandSetFactory } from '../state-machine/group-state-machine';
import { condemnStore, LevelKeyValueStore } from '../state-machine/level-key-value-store';
import { SeparatedStore } from '../state-machine/separated-store';

/** For the index groups together: the most that LevelDB collects before it writes a table. */
const INDEX_WRITE_BUFFER_BYTES = 16 * 1024 * 1024;
const WRITE_BUFFER_BYTES_MIN = 4 * 1024 * 1024;

export interface NodeStorageOptions {
  readonly dataDirectory: string;
  readonly settings: Pick<ClusterSettings, 'indexGroups'>;
  readonly scrubPeriodMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Null but in development clusters. */
  readonly faults: FaultSource | null;
}

/** A directory of this node, on a disk that fails when the faults of the process say so. */
export async function openNodeDisk(
  directory: string,
  { faults, clock }: Pick<NodeStorageOptions, 'faults' | 'clock'>,
): Promise<LogDisk> {
  const disk = await openFileLogDisk(directory);
  return faults === null ? disk : faultyLogDisk(disk, { faults, clock });
}

/** Which store it was that ended the process nobody knows; each is made again from this disk. */
export function condemnStates({ dataDirectory, settings, logger }: NodeStorageOptions): void {
  logger.error({}, 'starts ended before they settled; all state is discarded');
  condemnStore(stateDirectory(dataDirectory, 'root'));
  for (let group = 0; group < settings.indexGroups; group += 1) {
    condemnStore(stateDirectory(dataDirectory, `index-${group}`));
  }
}

function stateDirectory(dataDirectory: string, group: string): string {
  return join(dataDirectory, 'state', group);
}

/** The state machine of a group; of an index group with its value files. */
export async function openMachine<T extends CommandSet>(
  options: NodeStorageOptions,
  group: string,
  create: CommandSetFactory<T>,
): Promise<GroupStateMachine<T>> {
  const { dataDirectory, logger, settings, scrubPeriodMs } = options;
  const onDiscard = (reason: string): void => {
    logger.warn({ group, reason }, 'the state was discarded and will be rebuilt');
  };
  const share = Math.floor(INDEX_WRITE_BUFFER_BYTES / settings.indexGroups);
  const writeBufferBytes =
    group === 'root' ? WRITE_BUFFER_BYTES_MIN : Math.max(WRITE_BUFFER_BYTES_MIN, share);
  const directory = stateDirectory(dataDirectory, group);
  const level = await LevelKeyValueStore.open(directory, onDiscard, writeBufferBytes);
  if (group === 'root') return GroupStateMachine.open(level, create, scrubPeriodMs);
  const disk = await openNodeDisk(join(dataDirectory, 'values', group), options);
  const store = await SeparatedStore.open({ base: level, disk });
  return GroupStateMachine.open(store, create, scrubPeriodMs);
}
