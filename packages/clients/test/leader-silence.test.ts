import { LeaderSilence } from '../src/leader-silence';

/** What a node says of `root` and of `index-0`, in term 1 unless given. */
function words(root: string | null, index0: string | null, term = 1) {
  return [
    { group: 'root', term, leader: root },
    { group: 'index-0', term, leader: index0 },
  ];
}

/** Between zones a and b no byte passes; we are in a, where the leader of `root` is. */
function bridge(untilMs: number, cutMs = 0): LeaderSilence {
  const silence = new LeaderSilence();
  for (let askedMs = -1_000; askedMs <= untilMs; askedMs += 1_000) {
    silence.hear('a', askedMs, words('a', askedMs < cutMs ? 'b' : null));
    silence.hear('c', askedMs, words('a', 'b'));
    if (askedMs < cutMs) silence.hear('b', askedMs, words('a', 'b'));
  }
  return silence;
}

describe('the silence of leaders', () => {
  it('is of the leader that another node reaches and we do not', () => {
    expect(bridge(4_000).longest(4_500)).toEqual({
      ...{ group: 'index-0', leader: 'b', sinceMs: -1_000 },
    });
  });

  it('ends with an answer, also with a refusal: who refuses is there', () => {
    for (const groups of [words('a', 'b'), null]) {
      const silence = bridge(4_000);
      silence.hear('b', 4_100, groups);
      expect(silence.longest(4_500)?.sinceMs).toBe(4_000);
    }
  });

  it('is not of a group without a leader anywhere: no other gateway serves it better', () => {
    const silence = bridge(4_000);
    silence.hear('c', 4_100, words('a', null));
    expect(silence.longest(4_500)?.sinceMs).toBe(4_000);
    silence.hear('c', 4_200, words(null, null, 2));
    silence.hear('a', 4_200, words(null, null, 2));
    expect(silence.longest(4_500)).toBeNull();
  });

  it('is not of a leader that was deposed: the newest term counts', () => {
    const silence = bridge(4_000);
    silence.hear('a', 4_100, words('a', 'c', 2));
    expect(silence.longest(4_500)?.sinceMs).toBe(4_000);
    // What c said of the term before does not bring it back.
    silence.hear('c', 4_200, words('a', 'b'));
    expect(silence.longest(4_500)?.sinceMs).toBe(4_100);
  });

  it('is forgotten when those who named the leader say nothing themselves', () => {
    const silence = bridge(4_000);
    expect(silence.longest(7_000)).not.toBeNull();
    expect(silence.longest(7_001)).toBeNull();
  });

  it('begins for a node that never answered when it is named first', () => {
    const silence = bridge(4_000);
    silence.hear('b', 4_000, words('a', 'b'));
    silence.hear('c', 4_100, words('a', 'new', 2));
    silence.hear('c', 5_100, words('a', 'new', 2));
    expect(silence.longest(5_500)).toEqual({
      ...{ group: 'root', leader: 'a', sinceMs: 4_000 },
    });
    silence.hear('a', 5_400, words('a', 'new', 2));
    expect(silence.longest(5_500)).toEqual({
      ...{ group: 'index-0', leader: 'new', sinceMs: 4_100 },
    });
  });

  it('is not of a leader that is not asked, and begins when it is', () => {
    const silence = new LeaderSilence();
    for (let askedMs = 0; askedMs <= 9_000; askedMs += 1_000) {
      silence.keepOnly(['a', 'b']);
      silence.hear('a', askedMs, words('a', 'joining'));
      silence.hear('b', askedMs, words('a', 'joining'));
      expect(silence.longest(askedMs + 500)?.sinceMs).toBe(askedMs);
    }
    silence.keepOnly(['a', 'b', 'joining']);
    silence.hear('a', 10_000, words('a', 'joining'));
    silence.hear('a', 11_000, words('a', 'joining'));
    expect(silence.longest(11_500)).toMatchObject({ leader: 'joining', sinceMs: 9_000 });
  });

  it('does not grow by an answer that comes late', () => {
    const silence = bridge(4_000);
    silence.hear('b', 4_100, words('a', 'b'));
    silence.hear('b', 2_000, words('a', 'x', 9));
    expect(silence.longest(4_500)?.leader).toBe('a');
    silence.hear('a', 4_400, null);
    expect(silence.longest(4_500)).toMatchObject({ leader: 'b', sinceMs: 4_100 });
  });
});
