import type { KeyInUse } from './keys-in-use';
import type { ObjectInput, ObjectOutput } from './object-model';
import type { S3Answer, S3Call, S3Session } from './s3-session';
import type { UploadInput } from './upload-model';
import {
  describe,
  etagOf,
  hasEtag,
  isDone,
  md5,
  newBody,
  positionOf,
  requireOk,
  sendTimed,
} from './workload-request';
import type { RequestContext } from './workload-request';

const LIST_KEYS_MAX = 1_000;

type WriteInput = Exclude<ObjectInput, { kind: 'get' }>;

/** Requests to keys of a bucket without versions. Each throws when it has no proper answer. */
export class ObjectRequests {
  readonly #context: RequestContext;

  constructor(context: RequestContext) {
    this.#context = context;
  }

  async put(session: S3Session, key: KeyInUse): Promise<void> {
    const { random } = this.#context;
    const body = newBody(random);
    const condition = random.next();
    const onlyIfAbsent = condition < 0.15;
    const ifMatch = condition > 0.8 ? key.lastEtag : null;
    const headers = {
      ...(onlyIfAbsent ? { 'if-none-match': '*' } : {}),
      ...(ifMatch === null ? {} : { 'if-match': `"${ifMatch}"` }),
    };
    const etag = md5(body).toString('hex');
    const call: S3Call = { method: 'PUT', path: this.#path(key.name), headers, body };
    await this.#write(session, key, { kind: 'put', etag, onlyIfAbsent, ifMatch }, call);
  }

  async delete(session: S3Session, key: KeyInUse): Promise<void> {
    const ifMatch = this.#context.random.next() < 0.3 ? key.lastEtag : null;
    const headers: Record<string, string> = ifMatch === null ? {} : { 'if-match': `"${ifMatch}"` };
    const call: S3Call = { method: 'DELETE', path: this.#path(key.name), headers };
    await this.#write(session, key, { kind: 'delete', ifMatch }, call);
  }

  /**
   * Copies what was seen last at the source, if it still is what it was: a copy without answer is
   * then a write of known bytes too.
   */
  async copy(session: S3Session, source: KeyInUse, target: KeyInUse): Promise<void> {
    const etag = source.lastEtag;
    // A copy of what was put in parts has another ETag, the MD5 of its bytes.
    if (etag === null || etag.includes('-') || source.name === target.name) {
      await this.get(session, source.name, 'HEAD', source);
      return;
    }
    const headers = {
      'x-amz-copy-source': this.#path(source.name),
      'x-amz-copy-source-if-match': `"${etag}"`,
    };
    const call: S3Call = { method: 'PUT', path: this.#path(target.name), headers };
    const input = { kind: 'put', etag, onlyIfAbsent: false, ifMatch: null } as const;
    await this.#write(session, target, input, call, (answer, calledAt, returnedAt) => {
      // The source is gone or another one: nothing was tried at the target.
      if (!isDone(answer)) return answer.status === 412 || answer.status === 404;
      this.#context.history.record(source.name, {
        ...{ input: { kind: 'get' }, output: { kind: 'found', etag }, calledAt, returnedAt },
        position: positionOf(answer, 'query'),
      });
      return false;
    });
  }

  /** One part is enough to go through every step of a multipart upload. */
  async putInParts(session: S3Session, key: KeyInUse, rival: S3Session | null): Promise<void> {
    const path = this.#path(key.name);
    const body = newBody(this.#context.random);
    const created = requireOk(await session.send({ method: 'POST', path, query: 'uploads=' }));
    const uploadId = /<UploadId>([^<]+)</.exec(created.body.toString())?.[1] ?? '';
    const upload = `uploadId=${encodeURIComponent(uploadId)}`;
    const part = { method: 'PUT', path, query: `partNumber=1&${upload}`, body } as const;
    requireOk(await session.send(part));
    const partEtag = md5(body);
    const document =
      '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>' +
      `<ETag>"${partEtag.toString('hex')}"</ETag></Part></CompleteMultipartUpload>`;
    const etag = `${md5(partEtag).toString('hex')}-1`;
    const input = { kind: 'put', etag, onlyIfAbsent: false, ifMatch: null } as const;
    const call = { method: 'POST', path, query: upload, body: Buffer.from(document) } as const;
    const name = `upload ${uploadId}`;
    const ending = this.#write(session, key, input, call, (answer, calledAt, returnedAt) => {
      this.#recordEnd(name, { kind: 'complete' }, { answer, calledAt, returnedAt });
      return answer.status === 404;
    }).catch((error: unknown) => {
      this.#recordUnknownEnd(name, 'complete');
      throw error;
    });
    const aborting = rival === null ? null : this.#abort(rival, name, { path, query: upload });
    await Promise.all([ending, aborting]);
  }

  async get(
    session: S3Session,
    name: string,
    method: 'GET' | 'HEAD',
    key?: KeyInUse,
  ): Promise<void> {
    const { history } = this.#context;
    const call = { method, path: this.#path(name) } as const;
    const { answer, calledAt, returnedAt } = await sendTimed(session, call, this.#context);
    const { status, body } = answer;
    if (status !== 200 && status !== 404) throw new Error(describe(answer));
    const etag = status === 404 ? null : etagOf(answer);
    const output = { kind: 'found', etag } as const;
    const position = positionOf(answer);
    history.record(name, { input: { kind: 'get' }, output, calledAt, returnedAt, position });
    if (etag === null) return;
    if (key !== undefined) key.lastEtag = etag;
    if (method === 'GET' && !hasEtag(body, etag)) {
      history.violations.push(`${name}: ${body.length} bytes that do not match ETag ${etag}`);
    }
  }

  async list(session: S3Session): Promise<void> {
    const { history, bucket } = this.#context;
    const query = `list-type=2&max-keys=${LIST_KEYS_MAX}`;
    const call = { method: 'GET', path: `/${bucket}`, query } as const;
    const { answer, calledAt, returnedAt } = await sendTimed(session, call, this.#context);
    const text = requireOk(answer).body.toString();
    const keys = [...text.matchAll(/<Key>([^<]+)<\/Key>/g)].map((match) => match[1] ?? '');
    const isTruncated = text.includes('<IsTruncated>true<');
    const lastKey = isTruncated ? (keys.at(-1) ?? '') : null;
    history.recordList({ keys: new Set(keys), lastKey, calledAt, returnedAt });
  }

  /**
   * Sends a write and records its outcome: done, refused by its condition, or unknown. `hear` sees
   * the answer first, and says whether that is all there is to it.
   */
  async #write(
    session: S3Session,
    key: KeyInUse,
    input: WriteInput,
    call: S3Call,
    hear: (answer: S3Answer, calledAt: number, returnedAt: number) => boolean = () => false,
  ): Promise<void> {
    const { history, clock } = this.#context;
    const calledAt = clock.monotonicMs();
    const record = (output: ObjectOutput | null, answer: S3Answer | null): void => {
      const position = output === null || answer === null ? null : positionOf(answer);
      const returnedAt = clock.monotonicMs();
      history.record(key.name, { input, output, calledAt, returnedAt, position });
    };
    let answer: S3Answer;
    try {
      answer = await session.send(call);
    } catch (error) {
      key.unansweredWrites += 1;
      record(null, null);
      throw error;
    }
    if (hear(answer, calledAt, clock.monotonicMs())) return;
    if (isDone(answer)) {
      record({ kind: 'done' }, answer);
      if (input.kind === 'put') key.lastEtag = input.etag;
    } else if (answer.status === 409) {
      // C-7: lost a race against another write, and changed nothing.
      return;
    } else if (answer.status === 412 || answer.status === 404) {
      record({ kind: 'refused' }, answer);
    } else {
      // Even a 503 may come after the commit: its answer was lost on the way to the gateway.
      key.unansweredWrites += 1;
      record(null, null);
      throw new Error(describe(answer));
    }
  }

  async #abort(
    session: S3Session,
    name: string,
    target: { readonly path: string; readonly query: string },
  ): Promise<void> {
    try {
      const timed = await sendTimed(session, { method: 'DELETE', ...target }, this.#context);
      this.#recordEnd(name, { kind: 'abort' }, timed);
      if (!isDone(timed.answer) && timed.answer.status !== 404) {
        this.#recordUnknownEnd(name, 'abort');
      }
    } catch {
      this.#recordUnknownEnd(name, 'abort');
    }
  }

  #recordEnd(
    name: string,
    input: UploadInput,
    timed: { readonly answer: S3Answer; readonly calledAt: number; readonly returnedAt: number },
  ): void {
    const { answer, calledAt, returnedAt } = timed;
    const isGone = answer.status === 404;
    if (!isDone(answer) && !isGone) return;
    const output = isGone ? 'gone' : 'done';
    const position = positionOf(answer, 'command');
    const { history } = this.#context;
    history.recordUpload(name, { input, output: { kind: output }, calledAt, returnedAt, position });
  }

  #recordUnknownEnd(name: string, kind: UploadInput['kind']): void {
    const operation = { input: { kind }, output: null, calledAt: 0, returnedAt: 0 };
    this.#context.history.recordUpload(name, operation);
  }

  #path(key: string): string {
    return `/${this.#context.bucket}/${key}`;
  }
}
