import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { MetadataNodeEntry } from '@azimuth/proto';

import type { RaftPeer } from '../transport/rpc-transport';

const FILE_NAME = 'peers.json';

/**
 * Where the other metadata nodes are: those of the settings at first, then those of `root`, which a
 * file keeps over a restart, when the state of `root` may have to be rebuilt with the help of nodes
 * that the settings have never heard of. The file is a hint; losing it costs the settings' view.
 */
export class PeerBook {
  readonly #directory: string;
  #peers: readonly RaftPeer[];

  constructor(directory: string, settings: readonly RaftPeer[]) {
    this.#directory = directory;
    const kept = readPeers(join(directory, FILE_NAME));
    this.#peers = [...new Map([...settings, ...kept].map((peer) => [peer.nodeId, peer])).values()];
  }

  get peers(): readonly RaftPeer[] {
    return this.#peers;
  }

  /** Takes over what `root` says; false when it is nothing new, or nothing at all. */
  follow(nodes: readonly MetadataNodeEntry[]): boolean {
    if (nodes.length === 0) return false;
    const peers = nodes.map(({ nodeId, host, port }) => ({ nodeId, host, port }));
    const text = JSON.stringify(peers);
    if (text === JSON.stringify(this.#peers)) return false;
    this.#peers = peers;
    const path = join(this.#directory, FILE_NAME);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
    return true;
  }
}

function readPeers(path: string): readonly RaftPeer[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as RaftPeer[];
  } catch {
    return [];
  }
}
