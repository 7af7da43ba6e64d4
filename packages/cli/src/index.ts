export { sendControl } from './dev/control-socket';
export type { ControlAction } from './dev/control-socket';
export { readClusterDocument } from './dev/cluster-document';
export type { ClusterDocument, ProcessDocument, RegionDocument } from './dev/cluster-document';
