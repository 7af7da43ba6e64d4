import { StoreError } from '@azimuth/common';
import type { BlobId, DiskId, StorageNodeEntry } from '@azimuth/placement';

/**
 * Sums of shards, so that one stream leaves a zone where several shards of it are needed ("partial
 * parallel repair": Mitra et al., EuroSys '16). The node that is asked reads its own shard and
 * those of nodes near it, multiplies each by its coefficient over GF(2^8) and answers the sum, in
 * the wire form of a range of a shard:
 *
 *   GET /sums/<blobId>?offset=&length=&term=…&term=…   → 200, page-aligned offset
 *
 * A term is `coefficient,shardIndex,diskId` with the node behind it: `,nodeId,incarnation,host,
 * bulkPort,rpcPort`. Without, the disk is one of the node that is asked. All of it is in the
 * target, which the MAC covers: nobody on the way can send the node elsewhere.
 */
export interface ShardSumTerm {
  /** 1 to 255. */
  readonly coefficient: number;
  readonly shardIndex: number;
  readonly diskId: DiskId;
  /** Null: the node that is asked. */
  readonly node: SumNode | null;
}

/** What it takes to reach a node. */
export type SumNode = Pick<
  StorageNodeEntry,
  'nodeId' | 'incarnation' | 'host' | 'bulkPort' | 'rpcPort'
>;

export interface ShardSumRequest {
  readonly blobId: BlobId;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly terms: readonly ShardSumTerm[];
}

/** Longer ranges are asked for in pieces: a node holds a range of every term in memory. */
export const SUM_RANGE_BYTES_MAX = 1024 * 1024;
const TERMS_MAX = 31;
const SHARD_INDEX_MAX = 31;
const FIELDS_OWN = 3;
const FIELDS_REMOTE = 8;

const TARGET = /^\/sums\/([0-9a-f]{32})\?(.*)$/;
const DISK_ID = /^[0-9a-f]{32}$/;
const DECIMAL = /^(?:0|[1-9][0-9]{0,14})$/;

export function isShardSumTarget(target: string): boolean {
  return target.startsWith('/sums/');
}

export function formatShardSum(request: ShardSumRequest): string {
  const { blobId, offsetBytes, lengthBytes, terms } = request;
  const list = terms.map(({ coefficient, shardIndex, diskId, node }) => {
    const own = [coefficient, shardIndex, diskId];
    if (node === null) return own.join();
    const { nodeId, incarnation, host, bulkPort, rpcPort } = node;
    return [...own, nodeId, incarnation, host, bulkPort, rpcPort]
      .map((field) => encodeURIComponent(field))
      .join();
  });
  return `/sums/${blobId}?offset=${offsetBytes}&length=${lengthBytes}&term=${list.join('&term=')}`;
}

/** @throws StoreError INVALID_ARGUMENT. */
export function parseShardSum(target: string): ShardSumRequest {
  const [, blobId, query = ''] = TARGET.exec(target) ?? [];
  if (blobId === undefined) throw invalid('path');
  const parameters = new URLSearchParams(query);
  const lengthBytes = decimal(parameters.get('length'), SUM_RANGE_BYTES_MAX);
  const offsetBytes = decimal(parameters.get('offset'), Number.MAX_SAFE_INTEGER);
  const terms = query
    .split('&')
    .filter((part) => part.startsWith('term='))
    .map((part) => parseTerm(part.slice('term='.length)));
  const indexes = new Set(terms.map(({ shardIndex }) => shardIndex));
  if (terms.length === 0 || terms.length > TERMS_MAX || indexes.size < terms.length) {
    throw invalid('terms');
  }
  if (lengthBytes === 0) throw invalid('length');
  return { blobId, offsetBytes, lengthBytes, terms };
}

function parseTerm(text: string): ShardSumTerm {
  const fields = text.split(',').map(decodeField);
  const [coefficientText, indexText, diskId = '', ...where] = fields;
  const coefficient = decimal(coefficientText, 255);
  if (coefficient === 0 || !DISK_ID.test(diskId)) throw invalid('term');
  const term = { coefficient, shardIndex: decimal(indexText, SHARD_INDEX_MAX), diskId };
  if (fields.length === FIELDS_OWN) return { ...term, node: null };
  const [nodeId, incarnation, host, bulkPort, rpcPort] = where;
  if (fields.length !== FIELDS_REMOTE || !nodeId || !incarnation || !host) throw invalid('term');
  const ports = { bulkPort: decimal(bulkPort, 65_535), rpcPort: decimal(rpcPort, 65_535) };
  return { ...term, node: { nodeId, incarnation, host, ...ports } };
}

function decodeField(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid('encoding');
  }
}

function decimal(text: string | null | undefined, max: number): number {
  if (text == null || !DECIMAL.test(text) || Number(text) > max) throw invalid('number');
  return Number(text);
}

function invalid(reason: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', { reason: `malformed sum: ${reason}` });
}
