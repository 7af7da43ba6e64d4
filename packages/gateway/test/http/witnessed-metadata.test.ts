import type { CallOptions, MetadataClient } from '@azimuth/clients';

import { formatPositions, witnessedMetadata } from '../../src/http/witnessed-metadata';
import type { LogPosition } from '../../src/http/witnessed-metadata';

describe('where in the logs answers hold', () => {
  it('tells each answer of an index group, and passes on what the operation asked for', async () => {
    const positions: LogPosition[] = [];
    const seen: CallOptions[] = [];
    const inner = {
      queryIndex: (_group: string, _name: string, _args: object, options: CallOptions) => {
        seen.push(options);
        options.onLogIndex?.(7);
        return Promise.resolve(null);
      },
      index: (_group: string, _name: string, _args: object, options: CallOptions) => {
        options.onLogIndex?.(null);
        return Promise.resolve(null);
      },
    } as unknown as MetadataClient;
    const metadata = witnessedMetadata(inner, (position) => positions.push(position));
    const { signal } = new AbortController();
    await metadata.queryIndex('index-0', 'GetVersion', {} as never, { signal });
    await metadata.index('index-1', 'CommitVersion', {} as never);
    expect(seen[0]?.signal).toBe(signal);
    expect(formatPositions(positions)).toBe('GetVersion@index-0=7, CommitVersion@index-1=?');
  });
});
