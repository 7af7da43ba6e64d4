/**
 * The check of the commit that nearly all are, by hand, because the general check takes as long as
 * applying one: an inline object without conditions, checksum, tags and ACL. Everything that it
 * accepts the general check accepts as well; what it does not accept is left to that.
 */
const TEXT_LENGTH_MAX = 8_192;
const NAME_LENGTH_MAX = 256;
/** S3 allows ten on an object; the bound here only keeps heads small. */
const TAGS_MAX = 50;
const TAG_NAME_LENGTH_MAX = 256;
const TAG_VALUE_LENGTH_MAX = 512;
const KEY_BYTES_MAX = 1_024;
const LOST_SURROGATE = /\p{Surrogate}/u;
const HEX_ID = /^[0-9a-f]{32}$/;

type Fields = Readonly<Record<string, unknown>>;

export function isPlainCommit(args: unknown): boolean {
  if (!isObject(args) || args['precondition'] !== null) return false;
  const { bucketId, key, versioning, draft, data } = args;
  return (
    isHexId(bucketId) &&
    isObjectKey(key) &&
    (versioning === 'unversioned' || versioning === 'enabled' || versioning === 'suspended') &&
    isInline(data) &&
    isPlainDraft(draft)
  );
}

function isInline(data: unknown): boolean {
  if (!isObject(data)) return false;
  const { inline, blobs, missing } = data;
  return inline instanceof Uint8Array && isEmptyArray(blobs) && isEmptyArray(missing);
}

function isPlainDraft(draft: unknown): boolean {
  if (!isObject(draft) || draft['checksum'] !== null || draft['acl'] !== null) return false;
  const { key, sizeBytes, etag, storageClass, owner, headers, userMetadata } = draft;
  return (
    isObjectKey(key) &&
    isCount(sizeBytes) &&
    isText(etag) &&
    isText(owner) &&
    isText(storageClass) &&
    storageClass.length > 0 &&
    storageClass.length <= NAME_LENGTH_MAX &&
    isStringRecord(headers) &&
    isStringRecord(userMetadata) &&
    isEmptyRecord(draft['tags'])
  );
}

export function isHexId(value: unknown): value is string {
  return typeof value === 'string' && HEX_ID.test(value);
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isObjectKey(value: unknown): boolean {
  if (typeof value !== 'string' || value.length === 0) return false;
  return Buffer.byteLength(value) <= KEY_BYTES_MAX && !LOST_SURROGATE.test(value);
}

export function isStringRecord(value: unknown): boolean {
  if (!isObject(value) || Array.isArray(value)) return false;
  for (const [field, content] of Object.entries(value)) {
    if (field.length > TEXT_LENGTH_MAX || !isText(content)) return false;
  }
  return true;
}

/** Tags of an object: few and short. */
export function isTagRecord(value: unknown): boolean {
  if (!isStringRecord(value)) return false;
  const tags = Object.entries(value as Readonly<Record<string, string>>);
  return (
    tags.length <= TAGS_MAX &&
    tags.every(
      ([name, content]) =>
        name.length <= TAG_NAME_LENGTH_MAX && content.length <= TAG_VALUE_LENGTH_MAX,
    )
  );
}

function isEmptyRecord(value: unknown): boolean {
  return isObject(value) && !Array.isArray(value) && Object.keys(value).length === 0;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= TEXT_LENGTH_MAX;
}

function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}
