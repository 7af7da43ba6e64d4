import { decodeListRows, encodeRecord, listEntryOf, ListRowWriter } from '../../src';
import type { ListFields } from '../../src';

function fieldsOf(sizeBytes: number, text: string): ListFields {
  return [false, sizeBytes, text, 1_800_000_000_000 + sizeBytes, 'STANDARD', text, null, null];
}

describe('rows of a list', () => {
  it('come back as they were, whatever the length of the key', () => {
    // At 0x1f, 0xff and 0xffff bytes MessagePack writes a text in another way.
    const lengths = [0, 1, 0x1f, 0x20, 0xff, 0x100, 1_024, 0xffff];
    const rows = lengths.map((length) => ['é'.repeat(length / 2) + 'k'.repeat(length % 2), length]);
    const writer = new ListRowWriter();
    for (const [key, sizeBytes] of rows as [string, number][]) {
      writer.add(Buffer.from(key), encodeRecord(fieldsOf(sizeBytes, key.slice(0, 10))));
    }
    expect(decodeListRows(writer.finish())).toEqual(
      (rows as [string, number][]).map(([key, sizeBytes]) =>
        listEntryOf(key, fieldsOf(sizeBytes, key.slice(0, 10))),
      ),
    );
  });

  it('may be none, or more than fit where they are begun', () => {
    expect(decodeListRows(new ListRowWriter().finish())).toEqual([]);
    const writer = new ListRowWriter();
    for (let at = 0; at < 2_000; at += 1) {
      writer.add(Buffer.from(`key-${at}`), encodeRecord(fieldsOf(at, 'etag'.repeat(10))));
    }
    const found = decodeListRows(writer.finish());
    expect(found.map(({ key, sizeBytes }) => `${key}:${sizeBytes}`)).toEqual(
      Array.from({ length: 2_000 }, (_, at) => `key-${at}:${at}`),
    );
  });
});
