import fc from 'fast-check';

import { compareKeys } from '../../src/s3/listing';
import { BUCKET, documentOf, Harness, text, texts } from './harness';

/** One entry of a key in the reference model, newest first. */
interface Entry {
  readonly id: string;
  readonly isMarker: boolean;
}

/** V-2 to V-8, written down directly. */
class VersionModel {
  readonly keys = new Map<string, Entry[]>();
  versioning: 'unversioned' | 'enabled' | 'suspended' = 'unversioned';

  put(key: string, id: string): void {
    this.#add(key, { id, isMarker: false });
  }

  deleteKey(key: string, markerId: string | undefined): void {
    if (this.versioning === 'unversioned') this.keys.delete(key);
    else this.#add(key, { id: markerId ?? 'missing', isMarker: true });
  }

  deleteVersion(key: string, id: string): Entry | null {
    const entries = this.keys.get(key) ?? [];
    const found = entries.find((entry) => entry.id === id) ?? null;
    this.#set(
      key,
      entries.filter((entry) => entry !== found),
    );
    return found;
  }

  /** `[kind, key, id, isLatest]` or `[prefix, text]`, what a listing of all pages must give. */
  rows(prefix: string, delimiter: string): string[][] {
    const rows: string[][] = [];
    for (const key of [...this.keys.keys()].sort(compareKeys)) {
      if (!key.startsWith(prefix)) continue;
      const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
      if (at !== -1) {
        const rolledUp = key.slice(0, at + delimiter.length);
        if (rows.at(-1)?.[1] !== rolledUp) rows.push(['prefix', rolledUp]);
        continue;
      }
      (this.keys.get(key) ?? []).forEach(({ id, isMarker }, index) => {
        rows.push([isMarker ? 'DeleteMarker' : 'Version', key, id, String(index === 0)]);
      });
    }
    return rows;
  }

  #add(key: string, entry: Entry): void {
    const older = (this.keys.get(key) ?? []).filter(({ id }) => id !== 'null' || entry.id !== id);
    this.#set(key, [entry, ...older]);
  }

  #set(key: string, entries: Entry[]): void {
    if (entries.length === 0) this.keys.delete(key);
    else this.keys.set(key, entries);
  }
}

type Step =
  | { readonly kind: 'put' | 'delete'; readonly key: string }
  | { readonly kind: 'delete-version'; readonly key: string; readonly choice: number }
  | { readonly kind: 'versioning'; readonly to: 'enabled' | 'suspended' };

const keys = fc.constantFrom('a', 'a/b', 'a/c/d', 'b', 'é/x', '\u{1f600}', '\uffe0', 'a b');
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('put' as const), key: keys }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: keys }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('delete-version' as const),
        key: keys,
        choice: fc.nat(3),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('versioning' as const),
        to: fc.constantFrom('enabled' as const, 'suspended' as const),
      }),
    },
  ),
  { maxLength: 30 },
);

async function run(harness: Harness, model: VersionModel, step: Step): Promise<void> {
  switch (step.kind) {
    case 'versioning':
      await harness.setVersioning(step.to);
      model.versioning = step.to;
      return;
    case 'put': {
      const { headers } = await harness.put(step.key, 'x');
      const id = headers['x-amz-version-id'];
      expect(id === undefined).toBe(model.versioning === 'unversioned');
      if (model.versioning === 'suspended') expect(id).toBe('null');
      model.put(step.key, id ?? 'null');
      return;
    }
    case 'delete': {
      const { status, headers } = await harness.send('DeleteObject', { key: step.key });
      expect(status).toBe(204);
      expect(headers['x-amz-delete-marker'] === 'true').toBe(model.versioning !== 'unversioned');
      model.deleteKey(step.key, headers['x-amz-version-id']);
      return;
    }
    case 'delete-version': {
      const entries = model.keys.get(step.key) ?? [];
      const versionId = entries[step.choice]?.id ?? 'null';
      const call = { key: step.key, query: { versionId } };
      const { status, headers } = await harness.send('DeleteObject', call);
      const removed = model.deleteVersion(step.key, versionId);
      expect(status).toBe(204);
      expect(headers['x-amz-delete-marker'] === 'true').toBe(removed?.isMarker === true);
    }
  }
}

/** Rows of all pages; entries and prefixes apart, as the document has them. */
async function listed(
  harness: Harness,
  query: Readonly<Record<string, string>>,
  limit: number,
): Promise<{ readonly entries: string[][]; readonly prefixes: string[][] }> {
  const entries: string[][] = [];
  const prefixes: string[][] = [];
  let markers: Record<string, string> = {};
  for (;;) {
    const reply = await harness.send('ListObjectVersions', {
      query: { ...query, 'max-keys': String(limit), 'encoding-type': 'url', ...markers },
    });
    const document = documentOf(reply);
    const page = document.children
      .filter(({ name }) => name === 'Version' || name === 'DeleteMarker')
      .map((row) => [
        row.name,
        decodeURIComponent(text(row, 'Key') ?? ''),
        text(row, 'VersionId') ?? '',
        text(row, 'IsLatest') ?? '',
      ]);
    const common = texts(document, 'CommonPrefixes', 'Prefix').map(decodeURIComponent);
    entries.push(...page);
    prefixes.push(...common.map((prefix) => ['prefix', prefix]));
    const next = text(document, 'NextKeyMarker');
    if (next === null) return { entries, prefixes };
    expect(page.length + common.length).toBe(limit);
    const versionId = text(document, 'NextVersionIdMarker');
    markers = {
      'key-marker': decodeURIComponent(next),
      ...(versionId === null ? {} : { 'version-id-marker': versionId }),
    };
  }
}

describe('versions against the reference model', () => {
  it('V-2 to V-8, V-14 to V-16, K-1 to K-3: every history, listed at every page size', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.constantFrom('', 'a', 'a/'),
        fc.constantFrom('', '/', 'c/'),
        fc.integer({ min: 1, max: 7 }),
        async (history, prefix, delimiter, limit) => {
          const harness = await Harness.create();
          await harness.bucket();
          const model = new VersionModel();
          for (const step of history) await run(harness, model, step);

          const rows = model.rows(prefix, delimiter);
          const { entries, prefixes } = await listed(harness, { prefix, delimiter }, limit);
          expect(entries).toEqual(rows.filter(([kind]) => kind !== 'prefix'));
          expect(prefixes).toEqual(rows.filter(([kind]) => kind === 'prefix'));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('V-5, V-7: what a GET reads is the first of the model that is no marker', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const harness = await Harness.create();
        await harness.bucket();
        const model = new VersionModel();
        for (const step of history) await run(harness, model, step);
        for (const key of ['a', 'a/b', 'b']) {
          const [current] = model.keys.get(key) ?? [];
          const reply = await harness.get(key);
          if (current === undefined || current.isMarker) {
            expect(reply.code).toBe('NoSuchKey');
            expect(reply.headers['x-amz-delete-marker']).toBe(
              current === undefined ? undefined : 'true',
            );
          } else {
            expect(reply.status).toBe(200);
          }
        }
        const rows = model.rows('', '');
        const visible = rows.filter(
          ([kind, , , isLatest]) => kind === 'Version' && isLatest === 'true',
        );
        const objects = documentOf(
          await harness.send('ListObjectsV2', {
            bucket: BUCKET,
            query: { 'encoding-type': 'url' },
          }),
        );
        expect(texts(objects, 'Contents', 'Key').map(decodeURIComponent)).toEqual(
          visible.map(([, key]) => key),
        );
      }),
      { numRuns: 30 },
    );
  });
});
