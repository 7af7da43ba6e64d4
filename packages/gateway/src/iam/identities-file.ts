import { readFileSync, statSync } from 'node:fs';

import type { ClusterView } from '@azimuth/clients';
import { backoffMs, hasCode, StoreError } from '@azimuth/common';
import type { Clock, Logger, Random } from '@azimuth/common';

import type { DeclaredIdentities } from './declared-identities';
import { parseDeclaredIdentities } from './declared-identities';
import type { IdentityCommitter } from './identity-committer';
import { CHANGES_PER_COMMIT_MAX, planDeclaredIdentities } from './plan-declared-identities';

const FILE_BYTES_MAX = 16 * 1024 * 1024;
const POLL_MS = 2_000;
const BACKOFF = { baseMs: 200, maxMs: 5_000 };

export interface IdentitiesFileOptions {
  readonly path: string;
  /** The key of the configuration: a file must not declare another of the same id. */
  readonly rootAccessKeyId: string;
  readonly committer: IdentityCommitter;
  readonly view: Pick<ClusterView, 'ageMs'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * The file that declares accounts and users. It is applied at the start, when it changes and on
 * reload; each time all of it or, when something in it is wrong, nothing.
 */
export class IdentitiesFile {
  readonly #options: IdentitiesFileOptions;
  readonly #abort = new AbortController();
  /** What has to be committed yet; null when the cluster has the newest. */
  #pending: DeclaredIdentities | null;
  #seen: string;
  #failures = 0;
  #cancelTimer: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();

  /** @throws StoreError INVALID_ARGUMENT when the file cannot be read, or says why it is refused. */
  constructor(options: IdentitiesFileOptions) {
    this.#options = options;
    this.#seen = this.#stamp();
    this.#pending = this.#load();
    this.#schedule(0);
  }

  /** Reads the file again, whether it seems to have changed or not. Bad content changes nothing. */
  reload(): void {
    try {
      this.#seen = this.#stamp();
      this.#pending = this.#load();
      this.#schedule(0);
    } catch (error) {
      const { path, logger } = this.#options;
      const detail = error instanceof StoreError ? error.detail : {};
      logger.error({ path, ...detail }, 'identities file refused');
      this.#schedule(POLL_MS);
    }
  }

  /** Ends after what is under way. */
  async close(): Promise<void> {
    this.#abort.abort(new StoreError('CANCELLED'));
    this.#cancelTimer();
    await this.#running;
  }

  #schedule(delayMs: number): void {
    this.#cancelTimer();
    if (this.#abort.signal.aborted) return;
    this.#cancelTimer = this.#options.clock.schedule(delayMs, () => {
      this.#running = this.#running.then(() => this.#turn());
    });
  }

  async #turn(): Promise<void> {
    if (this.#abort.signal.aborted) return;
    if (this.#pending === null && this.#stamp() !== this.#seen) {
      this.reload();
      return;
    }
    const declared = this.#pending;
    if (declared !== null && !(await this.#apply(declared))) {
      this.#failures += 1;
      this.#schedule(backoffMs(this.#failures, BACKOFF, this.#options.random));
      return;
    }
    this.#failures = 0;
    if (this.#pending === declared) this.#pending = null;
    this.#schedule(this.#pending === null ? POLL_MS : 0);
  }

  /** False when the cluster could not be asked; then it is tried again. */
  async #apply(declared: DeclaredIdentities): Promise<boolean> {
    const { logger, clock, random, view, committer } = this.#options;
    // Before the first answer of the watch everything would seem to be missing.
    if (view.ageMs() === Number.POSITIVE_INFINITY) return false;
    let count = 0;
    try {
      for (;;) {
        const { changes } = await committer.commit(
          (snapshot) => ({
            changes: planDeclaredIdentities(declared, {
              snapshot,
              nowMs: clock.wallMs(),
              random,
            }).slice(0, CHANGES_PER_COMMIT_MAX),
          }),
          this.#abort.signal,
        );
        count += changes.length;
        if (changes.length === 0) break;
      }
      if (count > 0) logger.info({ changes: count }, 'declared identities applied');
      return true;
    } catch (error) {
      const isFinal = hasCode(error, 'INVALID_ARGUMENT');
      const fields = { error, attempt: this.#failures + 1 };
      if (isFinal) logger.error(fields, 'declared identities refused by the cluster');
      else if (!this.#abort.signal.aborted) {
        logger.warn(fields, 'declared identities not applied yet');
      }
      return isFinal;
    }
  }

  #load(): DeclaredIdentities {
    const { path, rootAccessKeyId } = this.#options;
    const declared = parseDeclaredIdentities(readText(path));
    const isTaken = declared.accounts.some((account) =>
      [account, ...account.users].some(({ keys }) =>
        keys.some(({ accessKey }) => accessKey === rootAccessKeyId),
      ),
    );
    if (isTaken) {
      throw new StoreError('INVALID_ARGUMENT', {
        identities: 'declares the access key of the configuration',
      });
    }
    return declared;
  }

  /** Changes when the file does; '' while there is none that can be read. */
  #stamp(): string {
    try {
      const { ino, size, mtimeMs } = statSync(this.#options.path);
      return `${ino}/${size}/${mtimeMs}`;
    } catch {
      return '';
    }
  }
}

function readText(path: string): string {
  try {
    if (statSync(path).size > FILE_BYTES_MAX) {
      throw new StoreError('INVALID_ARGUMENT', { identities: 'too large', path });
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError('INVALID_ARGUMENT', { identities: 'cannot be read', path }, error);
  }
}
