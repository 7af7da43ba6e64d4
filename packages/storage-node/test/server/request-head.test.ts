import { StoreError } from '@azimuth/common';

import { parseRequestHead } from '../../src/server/request-head';

const GOOD = ['PUT /shards/a?pg=1 HTTP/1.1', 'host: node:1', 'content-length: 12'];

function head(...lines: readonly string[]): string {
  return lines.join('\r\n');
}

describe('request head', () => {
  it('takes what the shard client sends', () => {
    const parsed = parseRequestHead(head(...GOOD, 'X-Azimuth-Mac:  ab cd \t'));
    expect({ ...parsed, headers: [...parsed.headers] }).toEqual({
      method: 'PUT',
      target: '/shards/a?pg=1',
      contentLength: 12,
      canStay: true,
      headers: [
        ['host', 'node:1'],
        ['content-length', '12'],
        ['x-azimuth-mac', 'ab cd'],
      ],
    });
  });

  it('takes a request without length as one without body, and a wish to close', () => {
    const parsed = parseRequestHead(head('GET / HTTP/1.1', 'host: n', 'connection: Close'));
    expect([parsed.contentLength, parsed.canStay]).toEqual([0, false]);
  });

  // Where two readers could disagree about the end of a request, a stranger's bytes become another
  // request (RFC 9112, 11.2).
  const [line = '', host = '', length = ''] = GOOD;
  it.each([
    ['no request line', ''],
    ['HTTP/1.0', head(line.replace('1.1', '1.0'), host)],
    ['a lower-case method', head('put / HTTP/1.1', host)],
    ['two blanks', head('PUT  / HTTP/1.1', host)],
    ['an absolute target', head('GET http://n/ HTTP/1.1', host)],
    ['a control character in the target', head('GET /\u0001 HTTP/1.1', host)],
    ['no host', head(line, length)],
    ['a blank before the colon', head(line, host, 'content-length : 1')],
    ['a folded header', head(line, host, 'x-a: 1', ' 2')],
    ['a header without colon', head(line, host, 'x-a')],
    ['a header without name', head(line, host, ': 1')],
    ['a bare line feed', head(line, host, 'x-a: 1\nx-b: 2')],
    ['a byte above ASCII', head(line, host, 'x-a: \u00e4')],
    ['two lengths', head(line, host, length, length)],
    ['a length with sign', head(line, host, 'content-length: +1')],
    ['a length in hex', head(line, host, 'content-length: 0x1')],
    ['a length with zeros in front', head(line, host, 'content-length: 01')],
    ['an empty length', head(line, host, 'content-length:')],
    ['a length beyond 2^53', head(line, host, 'content-length: 9007199254740992')],
    ['a transfer coding', head(line, host, length, 'transfer-encoding: chunked')],
    ['a transfer coding alone', head(line, host, 'transfer-encoding: identity')],
    ['an expectation', head(line, host, length, 'expect: 100-continue')],
    ['an upgrade', head(line, host, 'connection: upgrade')],
  ])('refuses %s', (_name, text) => {
    expect(() => parseRequestHead(text)).toThrow(StoreError);
  });
});
