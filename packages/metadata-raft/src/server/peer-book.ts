import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { SettingsPrecedence } from '@azimuth/clients';
import type { MetadataNodeEntry } from '@azimuth/proto';

import type { RaftPeer } from '../transport/rpc-transport';

const FILE_NAME = 'peers.json';

interface Kept {
  /** Of the change of `root` that named the peers; 0 = the settings. */
  readonly index: number;
  readonly peers: readonly RaftPeer[];
}

/**
 * Where the other metadata nodes are: those of the settings at first, then those of `root`, which a
 * file keeps over a restart, when the state of `root` may have to be rebuilt with the help of nodes
 * that the settings have never heard of. Losing the file costs the settings' view.
 *
 * After a power cut `root` begins as an old snapshot has it, which may name nodes that are gone and
 * not those that lead now: following it, this node would refuse the only ones from whom it can
 * learn the rest. So what `root` said later counts until it is there again.
 *
 * A node of the settings is where they say until `root` says another thing than at the start.
 */
export class PeerBook {
  readonly #directory: string;
  readonly #settings: ReadonlyMap<string, RaftPeer>;
  readonly #precedence = new SettingsPrecedence();
  #index: number;
  #peers: readonly RaftPeer[];

  constructor(directory: string, settings: readonly RaftPeer[]) {
    this.#directory = directory;
    this.#settings = byNodeId(settings);
    const kept = readKept(join(directory, FILE_NAME));
    this.#index = kept.index;
    this.#peers = [...byNodeId([...kept.peers, ...settings]).values()];
  }

  get peers(): readonly RaftPeer[] {
    return this.#peers;
  }

  /** True when `root`, whose last change is at `index`, is older than what is known of it. */
  isAheadOf(index: number): boolean {
    return index < this.#index;
  }

  /**
   * Takes over what `root` says, whose last change is at `index`; false when it is nothing new, or
   * nothing at all.
   */
  follow(nodes: readonly MetadataNodeEntry[], index: number): boolean {
    if (nodes.length === 0 || this.isAheadOf(index)) return false;
    const peers = nodes.map((node) => this.#placeOf(node));
    if (JSON.stringify(peers) === JSON.stringify(this.#peers)) return false;
    this.#peers = peers;
    this.#index = index;
    this.#keep({ index, peers });
    return true;
  }

  #keep(kept: Kept): void {
    const path = join(this.#directory, FILE_NAME);
    const file = openSync(`${path}.new`, 'w');
    try {
      writeFileSync(file, JSON.stringify(kept));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.new`, path);
    const directory = openSync(this.#directory, 'r');
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  }

  #placeOf(node: MetadataNodeEntry): RaftPeer {
    const isOlder = this.#precedence.isOlderThanSettings(node);
    const { nodeId, host, port } = node;
    return (isOlder ? this.#settings.get(nodeId) : undefined) ?? { nodeId, host, port };
  }
}

function byNodeId(peers: readonly RaftPeer[]): ReadonlyMap<string, RaftPeer> {
  return new Map(peers.map(({ nodeId, host, port }) => [nodeId, { nodeId, host, port }]));
}

function readKept(path: string): Kept {
  try {
    const kept = JSON.parse(readFileSync(path, 'utf8')) as Kept | readonly RaftPeer[];
    // Files of before the index was kept are the list alone.
    return 'peers' in kept ? kept : { index: 0, peers: kept };
  } catch {
    return { index: 0, peers: [] };
  }
}
