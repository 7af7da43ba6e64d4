import type { Logger } from '@azimuth/common';
import { hasCode } from '@azimuth/common';

import type { ShardLocation } from '../index/index-record';
import type { IndexChange, ShardIndex } from '../index/shard-index';
import type { Finding, Findings } from '../scrubber/findings';
import type { ShardId } from '../segment/shard-id';

export interface DamageReportsOptions {
  readonly diskId: string;
  readonly index: ShardIndex;
  readonly findings: Findings;
  readonly logger: Logger;
  /** Runs while nobody else changes this shard. */
  exclusive(id: ShardId, task: () => Promise<void>): Promise<void>;
  apply(changes: readonly IndexChange[]): Promise<void>;
}

/**
 * Turns damage that readers meet into findings, and ends a finding whose shard reads intact again.
 *
 * D1 A finding speaks of the record that the index names: nobody would ever clear one of a record
 *    that a repair has replaced or a delete removed.
 *
 * Nothing here throws: whoever met the damage has its own answer to give.
 */
export class DamageReports {
  readonly #options: DamageReportsOptions;

  constructor(options: DamageReportsOptions) {
    this.#options = options;
  }

  /** A reader met damage in the record at `location`; a slow one does so when it is gone (D1). */
  async met(location: ShardLocation, problem: string): Promise<void> {
    const { id, attributes } = location;
    if (this.#options.findings.has(id)) return;
    await this.#exclusive(id, async () => {
      if (this.#isAt(location)) await this.note({ id, pgId: attributes.pgId, problem });
    });
  }

  /**
   * The entry of the index is damaged. Known at once, so that the shard counts as damaged from here
   * on; forgotten if a PUT was just replacing the entry (D1).
   */
  async metEntry(id: ShardId): Promise<void> {
    const { findings } = this.#options;
    if (findings.has(id)) return;
    const finding = { id, pgId: 0, problem: 'index entry' };
    await this.note(finding);
    await this.#exclusive(id, async () => {
      if (findings.get(id) === finding && this.#locate(id) !== 'damaged') await this.#forget(id);
    });
  }

  /** For whoever holds the shard, and has just looked it up. */
  async note(finding: Finding): Promise<void> {
    const { diskId, findings, logger } = this.#options;
    const { id, problem } = finding;
    try {
      const isNew = await findings.add(finding);
      if (isNew) logger.warn({ diskId, ...id, problem }, 'shard is damaged');
    } catch (error) {
      logger.error({ diskId, ...id, error }, 'finding could not be kept');
    }
  }

  /** The whole shard was read and is intact: what `known` says of it (a read error) has passed. */
  async over(known: Finding, location: ShardLocation): Promise<void> {
    const { id } = location;
    await this.#exclusive(id, async () => {
      const isSame = this.#options.findings.get(id) === known && this.#isAt(location);
      if (isSame) await this.#forget(id);
    });
  }

  async #forget(id: ShardId): Promise<void> {
    await this.#options.apply(this.#options.findings.clear(id));
  }

  #isAt({ id, segment, offsetBytes }: ShardLocation): boolean {
    const current = this.#locate(id);
    if (current === 'damaged' || current === null) return false;
    return current.segment === segment && current.offsetBytes === offsetBytes;
  }

  #locate(id: ShardId): ShardLocation | null | 'damaged' {
    try {
      return this.#options.index.get(id);
    } catch (error) {
      if (!hasCode(error, 'SHARD_CORRUPT')) throw error;
      return 'damaged';
    }
  }

  async #exclusive(id: ShardId, task: () => Promise<void>): Promise<void> {
    const { diskId, logger } = this.#options;
    await this.#options.exclusive(id, task).catch((error: unknown) => {
      logger.warn({ diskId, ...id, error }, 'damage could not be noted or forgotten');
    });
  }
}
