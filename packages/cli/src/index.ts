export { readClusterDocument } from './dev/cluster-document';
export type { ClusterDocument, ProcessDocument, RegionDocument } from './dev/cluster-document';
