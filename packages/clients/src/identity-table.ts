import { IDENTITY_KINDS } from '@azimuth/proto';
import type { ClusterMapDelta, IdentityEntry, IdentityKind, IdentityRecords } from '@azimuth/proto';

import type { IdentitySnapshot } from './cluster-view';

type Table = ReadonlyMap<string, IdentityRecords[IdentityKind]>;
type Tables = Readonly<Record<IdentityKind, Table>>;

/** Identities by kind and name. Tables that a change does not touch are shared with the next one. */
export class IdentityTable implements IdentitySnapshot {
  readonly revision: number;
  readonly #tables: Tables;
  /** Names of each kind ascending, made when first asked for. */
  readonly #sortedNames = new Map<IdentityKind, readonly string[]>();

  private constructor(revision: number, tables: Tables) {
    this.revision = revision;
    this.#tables = tables;
  }

  static of(revision: number, entries: Iterable<IdentityEntry>): IdentityTable {
    const tables = emptyTables();
    for (const { kind, name, record } of entries) tables[kind].set(name, record);
    return new IdentityTable(revision, tables);
  }

  get<Kind extends IdentityKind>(kind: Kind, name: string): IdentityRecords[Kind] | null {
    return (this.#tables[kind].get(name) as IdentityRecords[Kind] | undefined) ?? null;
  }

  list<Kind extends IdentityKind>(
    kind: Kind,
    namePrefix: string,
  ): readonly IdentityRecords[Kind][] {
    const names = this.#names(kind);
    const found: IdentityRecords[Kind][] = [];
    for (let position = lowerBound(names, namePrefix); position < names.length; position += 1) {
      const name = names[position] as string;
      if (!name.startsWith(namePrefix)) break;
      found.push(this.#tables[kind].get(name) as IdentityRecords[Kind]);
    }
    return found;
  }

  /** The identities after a change; the same object when it changes none. */
  changed(
    delta: Pick<ClusterMapDelta, 'identities' | 'removedIdentities' | 'identityRevision'>,
  ): IdentityTable {
    if (delta.identityRevision === this.revision) return this;
    const tables: Record<IdentityKind, Table> = { ...this.#tables };
    const copies = new Map<IdentityKind, Map<string, IdentityRecords[IdentityKind]>>();
    const tableOf = (kind: IdentityKind): Map<string, IdentityRecords[IdentityKind]> => {
      const copy = copies.get(kind) ?? new Map(tables[kind]);
      copies.set(kind, copy);
      tables[kind] = copy;
      return copy;
    };
    for (const { kind, name } of delta.removedIdentities) tableOf(kind).delete(name);
    for (const { kind, name, record } of delta.identities) tableOf(kind).set(name, record);
    return new IdentityTable(delta.identityRevision, tables);
  }

  #names(kind: IdentityKind): readonly string[] {
    const known = this.#sortedNames.get(kind);
    if (known !== undefined) return known;
    const names = [...this.#tables[kind].keys()].sort((a, b) => (a < b ? -1 : 1));
    this.#sortedNames.set(kind, names);
    return names;
  }
}

function emptyTables(): Record<IdentityKind, Map<string, IdentityRecords[IdentityKind]>> {
  const pairs = IDENTITY_KINDS.map((kind) => [kind, new Map()]);
  return Object.fromEntries(pairs) as ReturnType<typeof emptyTables>;
}

/** Position of the first name ≥ `name`. */
function lowerBound(names: readonly string[], name: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((names[middle] as string) < name) low = middle + 1;
    else high = middle;
  }
  return low;
}
