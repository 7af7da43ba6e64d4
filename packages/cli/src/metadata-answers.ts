import type { MetadataNodeEntry, MetadataStatus } from '@azimuth/proto';

import type { ClusterAccess } from './cluster-access';

/** A metadata node as `root` knows it, or as the settings do when nobody answers. */
export type KnownMetadataNode = Pick<MetadataNodeEntry, 'nodeId' | 'zone' | 'state' | 'mayLead'>;

export interface MetadataAnswers {
  readonly metadataNodes: readonly KnownMetadataNode[];
  readonly statuses: readonly MetadataStatus[];
}

/** Asks all metadata nodes that the cluster has; the settings are only where it starts. */
export async function askMetadataNodes(
  { metadata, metadataPeers }: ClusterAccess,
  timeoutMs: number,
): Promise<MetadataAnswers> {
  const first = await metadata.status({ timeoutMs });
  const known = (rootLeaderOf(first) ?? first[0])?.metadataNodes ?? [];
  metadata.follow(known);
  const isNew = ({ nodeId, state }: KnownMetadataNode): boolean =>
    state !== 'joining' && !metadataPeers.some((peer) => peer.nodeId === nodeId);
  const statuses = known.some(isNew) ? await metadata.status({ timeoutMs }) : first;
  if (known.length > 0) return { metadataNodes: known, statuses };
  const ofSettings = metadataPeers.map(({ nodeId, zone }) => ({ nodeId, zone }));
  const metadataNodes = ofSettings.map((node) => ({
    ...node,
    ...{ state: 'voter' as const, mayLead: true },
  }));
  return { metadataNodes, statuses };
}

/** The answer of the node that leads `root`; of several who think so, that of the newest term. */
export function rootLeaderOf(statuses: readonly MetadataStatus[]): MetadataStatus | undefined {
  const leaders = statuses.filter(({ groups }) =>
    groups.some(({ group, role }) => group === 'root' && role === 'leader'),
  );
  const termOf = ({ groups }: MetadataStatus): number => groups[0]?.term ?? 0;
  return leaders.sort((a, b) => termOf(b) - termOf(a))[0];
}

/** The groups that a node says it leads. */
export function groupsLedBy(
  nodeId: string,
  statuses: readonly MetadataStatus[],
): readonly string[] {
  return (statuses.find((status) => status.nodeId === nodeId)?.groups ?? [])
    .filter(({ role }) => role === 'leader')
    .map(({ group }) => group);
}
