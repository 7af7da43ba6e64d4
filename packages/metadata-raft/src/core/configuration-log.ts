import { assert } from '@azimuth/common';

import { decodeConfiguration, isConfigurationEntry } from './configuration-entry';
import type { Entry, LogIndex } from './message';
import type { Configuration } from './quorum';

interface Known {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

/**
 * The configurations in a log. The last of them is in force, committed or not: it takes effect when
 * it is appended and loses it when it is truncated (thesis, 4.1; pitfall 15). So this follows every
 * change of the log, and nothing else may set the configuration of a node.
 */
export class ConfigurationLog {
  /** Ascending by index; the first is what was in force where the log starts. */
  #known: Known[];

  constructor(index: LogIndex, configuration: Configuration) {
    this.#known = [{ index, configuration }];
  }

  get current(): Configuration {
    return this.#last().configuration;
  }

  /** Where the current configuration stands in the log; or where the log starts. */
  get currentIndex(): LogIndex {
    return this.#last().index;
  }

  /** What was in force once the entry at `index` was in the log. */
  at(index: LogIndex): Configuration {
    const found = this.#known.findLast((known) => known.index <= index);
    assert(found !== undefined, 'the configuration is compacted away');
    return found.configuration;
  }

  append({ index, data }: Entry): void {
    if (!isConfigurationEntry(data)) return;
    assert(index > this.currentIndex, 'configurations out of order');
    this.#known.push({ index, configuration: decodeConfiguration(data) });
  }

  truncateFrom(index: LogIndex): void {
    this.#known = this.#known.filter((known, at) => at === 0 || known.index < index);
  }

  /** The log starts behind `index` now. */
  compactTo(index: LogIndex): void {
    const base = this.#known.findLastIndex((known) => known.index <= index);
    if (base > 0) this.#known = this.#known.slice(base);
  }

  /** A snapshot replaced the log. */
  restore(index: LogIndex, configuration: Configuration): void {
    this.#known = [{ index, configuration }];
  }

  #last(): Known {
    const last = this.#known.at(-1);
    assert(last !== undefined);
    return last;
  }
}
