import { nameOf } from './workload';
import type { CellResult } from './workload';

const ROLES = ['gateway', 'storage', 'metadata', 'curator'];
const HEADINGS = [
  'operation',
  'op/s',
  'MiB/s',
  'p50 ms',
  'p95 ms',
  'p99 ms',
  'errors',
  'op/CPU-s',
  'CPU-s/GiB',
  ...ROLES.map((role) => `${role} CPU-s`),
  'shard bytes per byte',
];

/** A Markdown table, which is as readable in a terminal as in `docs/benchmarks.md`. */
export function renderTable(results: readonly CellResult[]): string {
  const rows = results.map(renderRow);
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => pad(cell, widths[column]!, column)).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? `-${'-'.repeat(width)}-` : `-${'-'.repeat(width)}:`)).join('|')}|`;
  return [line(HEADINGS), rule, ...rows.map(line)].join('\n');
}

/** Of all server processes, over the whole cell. */
export function cpuSecondsOf({ cpuSecondsByRole }: CellResult): number {
  return [...cpuSecondsByRole.values()].reduce((sum, value) => sum + value, 0);
}

function pad(text: string, width: number, column: number): string {
  return column === 0 ? text.padEnd(width) : text.padStart(width);
}

function renderRow(result: CellResult): string[] {
  const { cell, seconds, operations, bytes, errors, latency, cpuSecondsByRole } = result;
  const isKnown = cpuSecondsByRole.size > 0;
  const cpuSeconds = cpuSecondsOf(result);
  const gib = bytes / 2 ** 30;
  const hasBody = cell.operation === 'PUT' || cell.operation === 'GET';
  const ms = (percentile: number): string =>
    (latency.getValueAtPercentile(percentile) / 1000).toFixed(1);
  return [
    nameOf(cell),
    (operations / seconds).toFixed(operations / seconds < 10 ? 1 : 0),
    hasBody ? (bytes / 2 ** 20 / seconds).toFixed(1) : '-',
    ms(50),
    ms(95),
    ms(99),
    String(errors),
    isKnown ? (operations / cpuSeconds).toFixed(operations / cpuSeconds < 10 ? 1 : 0) : '-',
    isKnown && hasBody ? (cpuSeconds / gib).toFixed(2) : '-',
    ...ROLES.map((role) => (isKnown ? (cpuSecondsByRole.get(role) ?? 0).toFixed(1) : '-')),
    isKnown && hasBody && bytes > 0 ? (result.shardBytes / bytes).toFixed(3) : '-',
  ];
}
