import type { ForecastMove, TopologyChange, TopologyForecast } from '@azimuth/placement';

import type { TopologyProgress } from '../topology-change';
import { renderBytes, renderTable } from './table';

/** Moves that are shown one by one; more are summed up by disk. */
const MOVES_SHOWN_MAX = 40;

/** What a change will do, for people. */
export function renderForecast(change: TopologyChange, forecast: TopologyForecast): string[] {
  const { moves, opened, emptied, lost, meanwhile, problems } = forecast;
  const known = moves.filter(({ sizeBytes }) => sizeBytes !== null);
  const bytes = known.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
  const unknown = moves.length - known.length;
  const groups = new Set(moves.map(({ pgId }) => pgId)).size;
  return [
    `${change.scope} ${change.name}: ${change.kind ?? 'into service'}`,
    `${moves.length} slots of ${groups} placement groups move, about ${renderBytes(bytes)}` +
      (unknown > 0 ? ` and ${unknown} slots of unknown size` : '') +
      (opened > 0 ? `; ${opened} groups are opened` : ''),
    ...(moves.length === 0 ? [] : ['', ...renderMoves(moves)]),
    ...(emptied.length === 0
      ? []
      : [`the blobs of ${emptied.length} groups inside one zone are copied to other groups`]),
    ...(lost.length === 0
      ? []
      : [`what ${lost.length} groups inside one zone (ONEZONE_IA) hold is lost with their disks`]),
    ...(meanwhile.length === 0 ? [] : ['', 'while they move:']),
    ...meanwhile.map(({ text, groups: count }) => `  ${count} groups: ${text}`),
    ...(problems.length === 0 ? [] : ['', 'refused:', ...problems.map((each) => `  ${each}`)]),
  ];
}

function renderMoves(moves: readonly ForecastMove[]): string[] {
  if (moves.length <= MOVES_SHOWN_MAX) {
    return renderTable(
      ['GROUP', 'SLOT', 'FROM', 'TO', 'BYTES', 'WHY'],
      moves.map(({ pgId, slot, from, to, sizeBytes, reason }) => [
        pgId,
        slot,
        from.slice(0, 8),
        to.slice(0, 8),
        sizeBytes === null ? '?' : renderBytes(sizeBytes),
        reason,
      ]),
    );
  }
  const pairs = new Map<string, { slots: number; bytes: number; move: ForecastMove }>();
  for (const move of moves) {
    const pair = pairs.get(`${move.from} ${move.to}`) ?? { slots: 0, bytes: 0, move };
    const bytes = pair.bytes + (move.sizeBytes ?? 0);
    pairs.set(`${move.from} ${move.to}`, { slots: pair.slots + 1, bytes, move });
  }
  return renderTable(
    ['FROM', 'TO', 'SLOTS', 'BYTES'],
    [...pairs.values()].map(({ slots, bytes, move }) => [
      move.from.slice(0, 8),
      move.to.slice(0, 8),
      slots,
      renderBytes(bytes),
    ]),
  );
}

export function renderProgress(progress: TopologyProgress): string {
  const { slotsLeft, slotsMoving, disksProven, disksToProve, isDone } = progress;
  if (isDone) return 'done';
  const proven = disksToProve === 0 ? '' : `, ${disksProven} of ${disksToProve} disks proven empty`;
  return `${slotsLeft} slots left, ${slotsMoving} moving${proven}`;
}
