import type { ShardAttributes, ShardSumRequest } from '@azimuth/clients';
import { isShardSumTarget, parseShardSum } from '@azimuth/clients';
import { StoreError } from '@azimuth/common';
import { stripeLayout } from '@azimuth/placement';

import type { ShardId } from '../segment/shard-id';

/** A request of the protocol in `storage-client.ts` of @azimuth/clients, parsed and in range. */
export type ShardRequest =
  | {
      readonly kind: 'put';
      readonly diskId: string;
      readonly id: ShardId;
      readonly attributes: ShardAttributes;
    }
  | {
      readonly kind: 'get';
      readonly diskId: string;
      readonly id: ShardId;
      readonly offsetBytes: number;
      /** Null: up to the end of the shard. */
      readonly lengthBytes: number | null;
    }
  | { readonly kind: 'sum'; readonly sum: ShardSumRequest }
  | { readonly kind: 'head' | 'delete'; readonly diskId: string; readonly id: ShardId }
  | {
      readonly kind: 'list';
      readonly diskId: string;
      readonly pgId: number;
      readonly afterBlobId: string | null;
      readonly limit: number;
    };

const SHARD_PATH = /^\/shards\/([0-9a-f]{32})\/([0-9a-f]{32})\/([0-9]{1,2})$/;
const DISK_PATH = /^\/shards\/([0-9a-f]{32})$/;
const BLOB_ID = /^[0-9a-f]{32}$/;
const LIST_LIMIT_DEFAULT = 1000;
const SHARD_COUNT_MAX = 32;

/** @throws StoreError INVALID_ARGUMENT. */
export function parseShardRequest(method: string, target: string): ShardRequest {
  return isShardSumTarget(target) ? parseSum(method, target) : parseOfDisk(method, target);
}

function parseOfDisk(method: string, target: string): ShardRequest {
  const queryAt = target.indexOf('?');
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  const query = new URLSearchParams(queryAt < 0 ? '' : target.slice(queryAt + 1));
  const diskMatch = DISK_PATH.exec(path);
  if (diskMatch !== null && method === 'GET') return parseList(diskMatch[1] ?? '', query);
  const match = SHARD_PATH.exec(path);
  if (match === null) throw new StoreError('INVALID_ARGUMENT', { reason: 'path' });
  const [, diskId = '', blobId = '', index = ''] = match;
  const id: ShardId = { blobId, shardIndex: Number(index) };
  if (id.shardIndex >= SHARD_COUNT_MAX) throw invalid('shardIndex');
  switch (method) {
    case 'PUT':
      return { kind: 'put', diskId, id, attributes: parseAttributes(query) };
    case 'GET':
      return { kind: 'get', diskId, id, ...parseRange(query) };
    case 'HEAD':
      return { kind: 'head', diskId, id };
    case 'DELETE':
      return { kind: 'delete', diskId, id };
    default:
      throw invalid('method');
  }
}

function parseSum(method: string, target: string): ShardRequest {
  if (method !== 'GET') throw invalid('method');
  return { kind: 'sum', sum: parseShardSum(target) };
}

function parseRange(query: URLSearchParams): {
  readonly offsetBytes: number;
  readonly lengthBytes: number | null;
} {
  return {
    offsetBytes: query.has('offset') ? count(query, 'offset') : 0,
    lengthBytes: query.has('length') ? count(query, 'length') : null,
  };
}

function parseList(diskId: string, query: URLSearchParams): ShardRequest {
  const after = query.get('after') ?? '';
  if (after !== '' && !BLOB_ID.test(after)) throw invalid('after');
  return {
    kind: 'list',
    diskId,
    pgId: count(query, 'pg'),
    afterBlobId: after === '' ? null : after,
    limit: query.has('limit') ? count(query, 'limit') : LIST_LIMIT_DEFAULT,
  };
}

/** The shard's size follows from the blob's, so nobody can claim another one. */
function parseAttributes(query: URLSearchParams): ShardAttributes {
  const profile = { k: count(query, 'k'), m: count(query, 'm') };
  const blobSizeBytes = count(query, 'size');
  const blockBytes = count(query, 'block');
  const isProfile = profile.k >= 1 && profile.k + profile.m <= SHARD_COUNT_MAX;
  if (!isProfile || blobSizeBytes < 1 || blockBytes < 1) throw invalid('attributes');
  const { shardSizeBytes } = stripeLayout(blobSizeBytes, profile, blockBytes);
  return { pgId: count(query, 'pg'), profile, blobSizeBytes, blockBytes, shardSizeBytes };
}

/** A decimal safe integer without sign; `Number()` alone takes hex, floats and blanks. */
function count(query: URLSearchParams, name: string): number {
  const text = query.get(name) ?? '';
  const value = Number(text);
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(value)) throw invalid(name);
  return value;
}

function invalid(reason: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', { reason });
}
