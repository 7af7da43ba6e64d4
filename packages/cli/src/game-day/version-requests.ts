import type { KeyInUse } from './keys-in-use';
import type { S3Answer, S3Call, S3Session } from './s3-session';
import type { VersionInput, VersionOutput } from './version-model';
import {
  describe,
  etagOf,
  hasEtag,
  isDone,
  md5,
  newBody,
  positionOf,
  sendTimed,
} from './workload-request';
import type { RequestContext } from './workload-request';

/** Versions of a key that are remembered to be asked for again. */
const VERSIONS_REMEMBERED_MAX = 8;

/** Requests to keys of a versioned bucket. Each throws when it has no proper answer. */
export class VersionRequests {
  readonly #context: RequestContext;

  constructor(context: RequestContext) {
    this.#context = context;
  }

  async put(session: S3Session, key: KeyInUse): Promise<void> {
    const body = newBody(this.#context.random);
    const etag = md5(body).toString('hex');
    const call: S3Call = { method: 'PUT', path: this.#path(key.name), body };
    const versionId = await this.#change(session, key, { kind: 'put', etag }, call);
    if (versionId !== null) key.versions.push({ versionId, etag });
    if (key.versions.length > VERSIONS_REMEMBERED_MAX) key.versions.shift();
  }

  async delete(session: S3Session, key: KeyInUse): Promise<void> {
    const call: S3Call = { method: 'DELETE', path: this.#path(key.name) };
    await this.#change(session, key, { kind: 'delete' }, call);
  }

  async deleteVersion(session: S3Session, key: KeyInUse): Promise<void> {
    const version = key.versions[this.#context.random.below(Math.max(1, key.versions.length))];
    if (version === undefined) return this.get(session, key.name, key);
    const { versionId } = version;
    const call: S3Call = {
      ...{ method: 'DELETE', path: this.#path(key.name) },
      query: `versionId=${encodeURIComponent(versionId)}`,
    };
    await this.#change(session, key, { kind: 'delete-version', versionId }, call);
    return undefined;
  }

  /** What is current. */
  async get(session: S3Session, name: string, key?: KeyInUse): Promise<void> {
    const call = { method: 'GET', path: this.#path(name) } as const;
    const { answer, calledAt, returnedAt } = await sendTimed(session, call, this.#context);
    const { status, headers } = answer;
    if (status !== 200 && status !== 404) throw new Error(describe(answer));
    const etag = status === 404 ? null : etagOf(answer);
    const shown = headers['x-amz-version-id'];
    const versionId = typeof shown === 'string' ? shown : null;
    const output: VersionOutput = { kind: 'found', etag, versionId };
    const position = positionOf(answer);
    this.#context.history.recordVersion(name, {
      ...{ input: { kind: 'get' }, output, calledAt, returnedAt, position },
    });
    this.#checkBytes(name, answer, etag);
    if (key !== undefined && etag !== null && versionId !== null) {
      const isNew = key.versions.every((each) => each.versionId !== versionId);
      if (isNew) key.versions.push({ versionId, etag });
    }
  }

  /** One version, which never changes until it is deleted. */
  async getVersion(session: S3Session, key: KeyInUse): Promise<void> {
    const version = key.versions[this.#context.random.below(Math.max(1, key.versions.length))];
    if (version === undefined) return this.get(session, key.name, key);
    const { versionId } = version;
    const query = `versionId=${encodeURIComponent(versionId)}`;
    const call = { method: 'GET', path: this.#path(key.name), query } as const;
    const { answer, calledAt, returnedAt } = await sendTimed(session, call, this.#context);
    if (answer.status !== 200 && answer.status !== 404) throw new Error(describe(answer));
    const etag = answer.status === 404 ? null : etagOf(answer);
    this.#context.history.recordVersion(key.name, {
      ...{ calledAt, returnedAt, position: positionOf(answer) },
      input: { kind: 'get-version', versionId },
      output: { kind: 'found', etag, versionId },
    });
    this.#checkBytes(key.name, answer, etag);
    return undefined;
  }

  /** The id of the version that it made, if any. */
  async #change(
    session: S3Session,
    key: KeyInUse,
    input: VersionInput,
    call: S3Call,
  ): Promise<string | null> {
    const { history, clock } = this.#context;
    const calledAt = clock.monotonicMs();
    const recordUnknown = (): void => {
      key.unansweredWrites += 1;
      history.recordVersion(key.name, { input, output: null, calledAt, returnedAt: calledAt });
    };
    let answer: S3Answer;
    try {
      answer = await session.send(call);
    } catch (error) {
      recordUnknown();
      throw error;
    }
    // C-7: lost a race against another write, and changed nothing.
    if (answer.status === 409) return null;
    const shown = answer.headers['x-amz-version-id'];
    const isMade = input.kind !== 'delete-version' && typeof shown === 'string';
    if (!isDone(answer) || (input.kind !== 'delete-version' && !isMade)) {
      recordUnknown();
      throw new Error(describe(answer));
    }
    const output: VersionOutput = isMade ? { kind: 'made', versionId: shown } : { kind: 'done' };
    const returnedAt = clock.monotonicMs();
    const position = positionOf(answer);
    history.recordVersion(key.name, { input, output, calledAt, returnedAt, position });
    return isMade ? shown : null;
  }

  #checkBytes(name: string, { body }: S3Answer, etag: string | null): void {
    if (etag === null || hasEtag(body, etag)) return;
    const { violations } = this.#context.history;
    violations.push(`${name}: ${body.length} bytes that do not match ETag ${etag}`);
  }

  #path(key: string): string {
    return `/${this.#context.versionedBucket}/${key}`;
  }
}
