import { PolicyCache } from '../../../src/auth/policy/policy-cache';
import { policyText } from './policy-fixture';

function policy(resource: string): string {
  return policyText({ Effect: 'Allow', Action: 's3:GetObject', Resource: resource });
}

describe('compiled policies', () => {
  it('are compiled once a text and a kind', () => {
    const cache = new PolicyCache();
    const first = cache.compile(policy('*'), 'identity');
    expect(cache.compile(policy('*'), 'identity')).toBe(first);
    expect(cache.compile(policy('*'), 'resource')).not.toBe(first);
  });

  it('are forgotten when there are too many, those used least recently first', () => {
    const cache = new PolicyCache(3 * policy('*').length);
    const [a, b] = ['a', 'b'].map((name) => policy(`arn:${name}`));
    const kept = cache.compile(a ?? '', 'identity');
    const forgotten = cache.compile(b ?? '', 'identity');
    cache.compile(a ?? '', 'identity');
    for (const name of ['c', 'd', 'e', 'f']) {
      cache.compile(policy(`arn:${name}`), 'identity');
      expect(cache.compile(a ?? '', 'identity')).toBe(kept);
    }
    expect(cache.compile(b ?? '', 'identity')).not.toBe(forgotten);
    expect(cache.characters).toBeLessThanOrEqual(3 * policy('*').length);
  });

  it('one that cannot be read denies everything', () => {
    const cache = new PolicyCache();
    for (const kind of ['identity', 'resource', 'trust'] as const) {
      const { statements } = cache.compile('{"Statement":[]}', kind);
      expect(statements.map(({ effect, conditions }) => [effect, conditions])).toEqual([
        ['Deny', []],
      ]);
    }
  });
});
