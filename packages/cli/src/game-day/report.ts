import type { ScenarioResult, Timeline } from './run-scenario';

export interface GameDayReport {
  readonly startedAt: string;
  /** What was tested: zones, nodes, profile. */
  readonly cluster: string;
  readonly seed: number;
  readonly results: readonly ScenarioResult[];
}

export function hasPassed({ violations, undecidedKeys }: ScenarioResult): boolean {
  return violations.length === 0 && undecidedKeys.length === 0;
}

/** The report for people. */
export function renderMarkdown(report: GameDayReport): string {
  const { results, startedAt, cluster, seed } = report;
  const operations = results.reduce((sum, each) => sum + each.operations, 0);
  const witnessed = results.reduce((sum, each) => sum + each.witnessed, 0);
  const failed = results.filter((each) => !hasPassed(each)).length;
  const lines = [
    `# Game day of ${startedAt.slice(0, 10)}`,
    '',
    `${cluster}; seed ${seed}. ${results.length} scenarios, ${operations} checked operations, ` +
      `${witnessed} of them also replayed in the order of the Raft logs, ` +
      `${failed === 0 ? 'no promise broken' : `${failed} scenarios failed`}.`,
    '',
    '| scenario | operations | reads back after | writes back after | answered reads | answered writes | protected after | shards read | verdict |',
    '|---|---:|---:|---:|---:|---:|---:|---:|---|',
    ...results.map(renderRow),
    '',
    'Reads and writes back: from a fault to the last request that failed before it ended, or before the next one; in brackets where ' +
      'more than a zone was taken, so that service may wait for its end. Answered: of all requests of all three ' +
      'phases, none of which was repeated. Protected: from the ' +
      'end of the fault to "0 shards missing". Every key: one order of all operations explains every answer ' +
      '(linearizability), every byte matches its ETag, every shard was read by its node.',
    '',
    '![Failed requests over time](timeline.svg)',
    '',
    '## Scenarios',
    '',
    ...results.flatMap(renderStory),
  ];
  return `${lines.join('\n')}\n`;
}

function renderRow(result: ScenarioResult): string {
  const { outageMs, outageMsMax } = result;
  const outage = (kind: 'read' | 'write'): string =>
    outageMsMax === null ? `(${seconds(outageMs[kind])})` : seconds(outageMs[kind]);
  const cells = [
    result.name,
    String(result.operations),
    outage('read'),
    outage('write'),
    availability(result, 'read'),
    availability(result, 'write'),
    seconds(result.protectedAfterMs),
    String(result.shardsVerified),
    hasPassed(result) ? 'passed' : '**failed**',
  ];
  return `| ${cells.join(' | ')} |`;
}

function renderStory(result: ScenarioResult): string[] {
  const problems = [
    ...result.violations,
    ...result.undecidedKeys.map((key) => `${key}: the check ran out of memory`),
  ];
  return [
    `**${result.name}.** ${result.story}`,
    ...(problems.length === 0 ? [] : ['', ...problems.map((problem) => `- ${problem}`)]),
    '',
  ];
}

/** The part of all requests that had a proper answer. */
function availability({ requests, failures }: ScenarioResult, kind: 'read' | 'write'): string {
  const asked = requests[kind] + failures[kind];
  return asked === 0 ? '-' : `${((requests[kind] / asked) * 100).toFixed(2)} %`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

const WIDTH = 900;
const LABEL_WIDTH = 220;
const ROW_HEIGHT = 28;
const MARK_HEIGHT = 8;

/** One row a scenario: the fault as a bar, each failed request as a mark (reads above writes). */
export function renderTimeline(results: readonly ScenarioResult[]): string {
  const longest = Math.max(1, ...results.map(({ timeline }) => timeline.endAt));
  const scale = (WIDTH - LABEL_WIDTH - 10) / longest;
  const height = (results.length + 2) * ROW_HEIGHT;
  const rows = results.map(({ name, timeline }, index) =>
    renderTimelineRow(name, timeline, { top: (index + 1) * ROW_HEIGHT, scale }),
  );
  const legend =
    legendItem(0, '#eef3ee', 'before and after') +
    legendItem(1, '#f6dcb5', 'under the fault') +
    legendItem(2, '#1f5fa8', 'a read failed') +
    legendItem(3, '#b3261e', 'a write failed');
  const axis =
    `${legend}<text x="${LABEL_WIDTH}" y="${height - 8}">0 s</text>` +
    `<text x="${WIDTH - 10}" y="${height - 8}" text-anchor="end">${longest.toFixed(0)} s</text>`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
    `font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>` +
    `${rows.join('')}${axis}</svg>\n`
  );
}

function legendItem(position: number, colour: string, text: string): string {
  const x = LABEL_WIDTH + position * 160;
  return (
    `<rect x="${x}" y="9" width="10" height="10" fill="${colour}"/>` +
    `<text x="${x + 15}" y="18">${text}</text>`
  );
}

function renderTimelineRow(
  name: string,
  { faultAt, healedAt, endAt, failuresAt }: Timeline,
  { top, scale }: { readonly top: number; readonly scale: number },
): string {
  const x = (at: number): string => (LABEL_WIDTH + at * scale).toFixed(1);
  const bar = (from: number, to: number, colour: string): string =>
    `<rect x="${x(from)}" y="${top + 4}" width="${((to - from) * scale).toFixed(1)}" ` +
    `height="${ROW_HEIGHT - 8}" fill="${colour}"/>`;
  // Thousands of marks on one pixel look like one.
  const marks = new Set(
    failuresAt.map(({ kind, at }) => {
      const y = top + (kind === 'read' ? 5 : 15);
      const colour = kind === 'read' ? '#1f5fa8' : '#b3261e';
      return `<rect x="${x(at)}" y="${y}" width="1" height="${MARK_HEIGHT}" fill="${colour}"/>`;
    }),
  );
  return (
    `<text x="4" y="${top + 18}">${name}</text>` +
    bar(0, endAt, '#eef3ee') +
    bar(faultAt, healedAt, '#f6dcb5') +
    [...marks].join('')
  );
}
