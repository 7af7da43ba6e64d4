import type { NodeAddress } from './node-address';

/**
 * Whether what the cluster says of a node of the settings is older than they are. After all nodes
 * have started at other addresses the cluster still knows the old ones: it can only be told through
 * the settings. So what it says of a node of theirs counts once it says another thing than first.
 */
export class SettingsPrecedence {
  readonly #firstSaid = new Map<string, string>();

  isOlderThanSettings({ nodeId, host, port }: NodeAddress): boolean {
    const address = `${host}:${port}`;
    const first = this.#firstSaid.get(nodeId) ?? address;
    this.#firstSaid.set(nodeId, first);
    return first === address;
  }
}
