import { hasPassed, renderMarkdown, renderTimeline } from '../../src/game-day/report';
import type { ScenarioResult } from '../../src/game-day/run-scenario';

function result(more: Partial<ScenarioResult>): ScenarioResult {
  return {
    name: 'zone-kill',
    story: 'A zone is killed.',
    seconds: 40,
    operations: 1_000,
    witnessed: 900,
    keys: 24,
    requests: { read: 600, write: 400 },
    failures: { read: 1, write: 1 },
    failureReasons: { 'write: 503 SlowDown': 1 },
    outageMs: { read: 1_500, write: 4_200 },
    outageMsMax: { read: 5_000, write: 10_000 },
    protectedAfterMs: 9_000,
    shardsVerified: 60,
    violations: [],
    undecidedKeys: [],
    timeline: {
      faultAt: 10,
      healedAt: 20,
      endAt: 40,
      failuresAt: [
        { kind: 'read', at: 11 },
        { kind: 'write', at: 12 },
        { kind: 'write', at: 12 },
      ],
    },
    ...more,
  };
}

const REPORT = { startedAt: '2026-11-22T10:00:00.000Z', cluster: '3 zones', seed: 7 };

describe('the report of a game day', () => {
  it('sums up and shows each scenario in a row', () => {
    const text = renderMarkdown({ ...REPORT, results: [result({})] });
    expect(text).toContain(
      'seed 7. 1 scenarios, 1000 checked operations, 900 of them also replayed in the order of the ' +
        'Raft logs, no promise broken.',
    );
    expect(text).toContain(
      '| zone-kill | 1000 | 1.5 s | 4.2 s | 99.83 % | 99.75 % | 9.0 s | 60 | passed |',
    );
  });

  it.each([{ violations: ['k: no order explains its history'] }, { undecidedKeys: ['k'] }])(
    'does not pass a scenario with %j, and says why',
    (more) => {
      const failed = result(more);
      expect(hasPassed(failed)).toBe(false);
      const text = renderMarkdown({ ...REPORT, results: [failed] });
      expect(text).toContain('1 scenarios failed');
      expect(text).toContain('- k: ');
    },
  );

  it('draws the fault and each failed request once', () => {
    const svg = renderTimeline([result({})]);
    expect(svg.match(/height="8"/g)).toHaveLength(2);
    expect(svg).toContain('zone-kill');
  });
});
