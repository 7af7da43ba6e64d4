/** Where a metadata node is. */
export interface NodeAddress {
  readonly nodeId: string;
  readonly host: string;
  readonly port: number;
}
