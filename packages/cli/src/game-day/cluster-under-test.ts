import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

import { assert, NO_FAULTS, required, StoreError } from '@azimuth/common';
import type { Clock, Faults, Random } from '@azimuth/common';

import type { ClusterAccess } from '../cluster-access';
import { collectStatus } from '../commands/status';
import { readClusterDocument } from '../dev/cluster-document';
import type { ProcessDocument, RegionDocument } from '../dev/cluster-document';
import { sendControl } from '../dev/control-socket';
import type { ControlAction } from '../dev/control-socket';
import type { PlacedRule } from '../dev/link-rule';

const PROTECTED_TIMEOUT_MS = 180_000;
const STATUS_PAUSE_MS = 500;
const LEADER_TIMEOUT_MS = 15_000;
const FAULTS_NOTICED_MS = 300;

export interface ClusterUnderTestOptions {
  /** Directory of the development cluster. */
  readonly directory: string;
  readonly access: ClusterAccess;
  readonly clock: Clock;
  readonly random: Random;
}

/** A development cluster as scenarios break and mend it. */
export class ClusterUnderTest {
  readonly #options: ClusterUnderTestOptions;
  readonly #all: readonly ProcessDocument[];
  #failing: readonly string[] = [];
  /** When the cluster was hurt, oldest first. */
  readonly #faultsMs: number[] = [];

  /** The cluster must be whole: what runs now is what has to run again. */
  constructor(options: ClusterUnderTestOptions) {
    this.#options = options;
    this.#all = this.region().processes;
  }

  region(): RegionDocument {
    return required(readClusterDocument(this.#options.directory).regions[0], 'region');
  }

  zones(): readonly string[] {
    return [...new Set(this.#all.map(({ zone }) => zone))].sort();
  }

  async zone(action: ControlAction, ...names: string[]): Promise<void> {
    await this.#control('zone', action, names);
  }

  async node(action: ControlAction, ...names: string[]): Promise<void> {
    await this.#control('node', action, names);
  }

  /** Hurts links; what is said of the same two places again replaces what was said before. */
  async links(...rules: readonly PlacedRule[]): Promise<void> {
    const { directory } = this.#options;
    this.#noteFault();
    await sendControl(directory, { action: 'set-links', rules, region: null });
  }

  async healLinks(): Promise<void> {
    await sendControl(this.#options.directory, { action: 'heal-links', region: null });
  }

  /** Tells nodes what to suffer, until `healFaults`. */
  async faults(faults: Partial<Faults>, ...names: readonly string[]): Promise<void> {
    this.#noteFault();
    if (faults.diskErrors !== undefined) this.#failing = [...this.#failing, ...names];
    await this.#setFaults({ ...NO_FAULTS, ...faults }, names);
    // Each node looks at its file four times a second.
    await this.#options.clock.sleep(FAULTS_NOTICED_MS);
  }

  /**
   * From then on: itself, and when something was killed, frozen, cut or told to suffer after it.
   */
  faultsSince(sinceMs: number): readonly number[] {
    return [sinceMs, ...this.#faultsMs.filter((each) => each >= sinceMs)];
  }

  async healFaults(): Promise<void> {
    const names = this.#all.map(({ node }) => node);
    this.#failing = [];
    await this.#setFaults(NO_FAULTS, names);
    await this.#options.clock.sleep(FAULTS_NOTICED_MS);
  }

  /** Whose disks were told to fail since the last `healFaults`: they are fenced for good. */
  nodesWithFailingDisks(): readonly string[] {
    return this.#failing;
  }

  /** The nodes of a role, of one zone or of all. */
  nodes(role: string, zone?: string): readonly string[] {
    return this.#all
      .filter((each) => each.role === role && (zone === undefined || each.zone === zone))
      .map(({ node }) => node);
  }

  /** A node of the role, another one at each call of the same seed. */
  anyNode(role: string): string {
    const nodes = this.#all.filter((each) => each.role === role);
    return required(nodes[this.#options.random.below(nodes.length)], role).node;
  }

  /** Where the leader of the root group is; on a busy machine it may just be changing. */
  async leadingNode(): Promise<string> {
    const { clock, access } = this.#options;
    const deadlineMs = clock.monotonicMs() + LEADER_TIMEOUT_MS;
    for (;;) {
      const status = await collectStatus(access);
      const leader = status.raftGroups.find(({ group }) => group === 'root')?.leader ?? null;
      if (leader !== null) return leader;
      if (clock.monotonicMs() > deadlineMs) {
        throw new StoreError('UNAVAILABLE', { reason: 'no root leader' });
      }
      await clock.sleep(STATUS_PAUSE_MS);
    }
  }

  async leadingZone(): Promise<string> {
    const leader = await this.leadingNode();
    return required(
      this.#all.find(({ node }) => node === leader),
      'leader',
    ).zone;
  }

  async startStopped(): Promise<void> {
    const running = new Set(this.region().processes.map(({ node }) => node));
    const stopped = this.#all.map(({ node }) => node).filter((node) => !running.has(node));
    if (stopped.length > 0) await this.node('start', ...stopped);
  }

  async thawFrozen(): Promise<void> {
    const frozen = this.region().processes.filter(({ state }) => state === 'frozen');
    if (frozen.length > 0) await this.node('thaw', ...frozen.map(({ node }) => node));
  }

  /** Deletes all disks of a storage node that is not running. */
  wipeDisks(nodeId: string): void {
    assert(
      this.region().processes.every(({ node }) => node !== nodeId),
      'wiping a running node',
    );
    for (const disk of this.#disksOf(nodeId)) rmSync(disk, { recursive: true, force: true });
  }

  /** Flips random bits in the segment files of a storage node, behind its back. */
  flipBits(nodeId: string, count: number): void {
    const files = this.#disksOf(nodeId).flatMap((disk) => {
      const segments = join(disk, 'segments');
      return existsSync(segments) ? readdirSync(segments).map((name) => join(segments, name)) : [];
    });
    for (let done = 0; done < count && files.length > 0; done += 1) {
      flipBit(required(files[this.#options.random.below(files.length)], 'file'), this.#options);
    }
  }

  /** Resolves when no shard is missing and no group degraded; throws TIMEOUT after 3 minutes. */
  async waitUntilProtected(): Promise<void> {
    const { clock, access } = this.#options;
    const deadlineMs = clock.monotonicMs() + PROTECTED_TIMEOUT_MS;
    for (;;) {
      const { shardsMissing, placementGroups, backlog } = await collectStatus(access);
      const isWhole = placementGroups.degraded === 0 && backlog.restripeEntries === 0;
      if (shardsMissing === 0 && isWhole) return;
      if (clock.monotonicMs() > deadlineMs) {
        throw new StoreError('TIMEOUT', { shardsMissing: shardsMissing ?? -1 });
      }
      await clock.sleep(STATUS_PAUSE_MS);
    }
  }

  async #setFaults(faults: Faults, names: readonly string[]): Promise<void> {
    const { directory } = this.#options;
    await sendControl(directory, { action: 'set-faults', names, faults, region: null });
  }

  async #control(
    scope: 'zone' | 'node',
    action: ControlAction,
    names: readonly string[],
  ): Promise<void> {
    if (action === 'kill' || action === 'freeze') this.#noteFault();
    await sendControl(this.#options.directory, { action, scope, names, region: null });
  }

  #noteFault(): void {
    this.#faultsMs.push(this.#options.clock.monotonicMs());
  }

  #disksOf(nodeId: string): string[] {
    const home = join(this.#options.directory, this.region().name, nodeId);
    return readdirSync(home)
      .filter((name) => name.startsWith('disk-'))
      .map((name) => join(home, name));
  }
}

/** Flips one bit of a file; a file that is empty or gone by now is left alone. */
function flipBit(path: string, { random }: { readonly random: Random }): void {
  if (!existsSync(path)) return;
  const { size } = statSync(path);
  if (size === 0) return;
  const file = openSync(path, 'r+');
  try {
    const at = random.below(size);
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    byte[0] = (byte[0] ?? 0) ^ (1 << random.below(8));
    writeSync(file, byte, 0, 1, at);
  } finally {
    closeSync(file);
  }
}
