import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { MetadataNodeEntry } from '@azimuth/proto';

import type { RaftPeer } from '../transport/rpc-transport';

const FILE_NAME = 'peers.json';

/**
 * Where the other metadata nodes are: those of the settings at first, then those of `root`, which a
 * file keeps over a restart, when the state of `root` may have to be rebuilt with the help of nodes
 * that the settings have never heard of. The file is a hint; losing it costs the settings' view.
 *
 * A node of the settings is where they say until `root` says another thing than at the start: when
 * all nodes have started at other addresses, nobody could reach a leader to tell it.
 */
export class PeerBook {
  readonly #directory: string;
  readonly #settings: ReadonlyMap<string, RaftPeer>;
  /** Where `root` said that a node of the settings is, when it said so first. */
  readonly #firstSaid = new Map<string, string>();
  #peers: readonly RaftPeer[];

  constructor(directory: string, settings: readonly RaftPeer[]) {
    this.#directory = directory;
    this.#settings = byNodeId(settings);
    const kept = readPeers(join(directory, FILE_NAME));
    this.#peers = [...byNodeId([...kept, ...settings]).values()];
  }

  get peers(): readonly RaftPeer[] {
    return this.#peers;
  }

  /** Takes over what `root` says; false when it is nothing new, or nothing at all. */
  follow(nodes: readonly MetadataNodeEntry[]): boolean {
    if (nodes.length === 0) return false;
    const peers = nodes.map((node) => this.#placeOf(node));
    const text = JSON.stringify(peers);
    if (text === JSON.stringify(this.#peers)) return false;
    this.#peers = peers;
    const path = join(this.#directory, FILE_NAME);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    return true;
  }

  #placeOf({ nodeId, host, port }: MetadataNodeEntry): RaftPeer {
    const settings = this.#settings.get(nodeId);
    const said = `${host}:${port}`;
    const first = this.#firstSaid.get(nodeId) ?? said;
    this.#firstSaid.set(nodeId, first);
    return settings !== undefined && first === said ? settings : { nodeId, host, port };
  }
}

function byNodeId(peers: readonly RaftPeer[]): ReadonlyMap<string, RaftPeer> {
  return new Map(peers.map(({ nodeId, host, port }) => [nodeId, { nodeId, host, port }]));
}

function readPeers(path: string): readonly RaftPeer[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RaftPeer[];
  } catch {
    return [];
  }
}
