/**
 * Where connections really go: `host:port` as the cluster map says it -> `host:port` to dial. For
 * nodes that see others under another address than the cluster map says: behind a translating
 * router, or through the links of a development cluster. Who answers there must still be who was
 * meant: certificates are checked as ever.
 */
export type AddressMap = Readonly<Record<string, string>>;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** The address to dial for `address`; itself when the map does not have it. */
export function dialedAddress(map: AddressMap | undefined, address: Address): Address {
  const { host, port } = address;
  const dialed = map?.[`${host}:${port}`];
  if (dialed === undefined) return { host, port };
  const colon = dialed.lastIndexOf(':');
  return { host: dialed.slice(0, colon), port: Number(dialed.slice(colon + 1)) };
}
