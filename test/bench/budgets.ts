import { cpuSecondsOf } from './report';
import type { Cell, CellResult, Operation } from './workload';
import { LIST_PAGE_KEYS, nameOf } from './workload';

type Figure = 'CPU-s/GiB' | 'op/CPU-s' | 'keys/s';

/** A cell, how it is timed, and the figure that is promised for it. */
export interface Budget {
  readonly cell: Cell;
  readonly secondsPerCell: number;
  /** Long enough for the compiler of every process to have seen the path that is measured. */
  readonly warmUpSeconds: number;
  readonly figure: Figure;
  readonly limit: number;
}

const KIB = 2 ** 10;
const MIB = 2 ** 20;

/** In this order every size is written before it is read. */
export const BUDGETS: readonly Budget[] = [
  ofSmall('PUT', 1_500),
  ofSmall('GET', 3_000),
  ofSmall('HEAD', 4_000),
  {
    cell: { operation: 'LIST', sizeBytes: 4 * KIB, concurrency: 64 },
    ...{ secondsPerCell: 10, warmUpSeconds: 10, figure: 'keys/s', limit: 50_000 },
  },
  ofLarge('PUT', 16 * MIB, 6),
  ofLarge('GET', 16 * MIB, 2.5),
  ofLarge('PUT', 64 * MIB, 6),
  ofLarge('GET', 64 * MIB, 2.5),
];

function ofSmall(operation: Operation, limit: number): Budget {
  const cell = { operation, sizeBytes: 4 * KIB, concurrency: 256 };
  return { cell, secondsPerCell: 20, warmUpSeconds: 60, figure: 'op/CPU-s', limit };
}

function ofLarge(operation: Operation, sizeBytes: number, limit: number): Budget {
  const cell = { operation, sizeBytes, concurrency: 8 };
  return { cell, secondsPerCell: 14, warmUpSeconds: 20, figure: 'CPU-s/GiB', limit };
}

/** What was promised beside what was measured, in Markdown. */
export function renderBudgets(budgets: readonly Budget[], results: readonly CellResult[]): string {
  const rows = budgets.map(({ figure, limit }, position) => {
    const result = results[position]!;
    const value = valueOf(result, figure);
    const isCeiling = figure === 'CPU-s/GiB';
    const isMet = isCeiling ? value <= limit : value >= limit;
    const promised = `${isCeiling ? '≤' : '≥'} ${limit.toLocaleString('en')} ${figure}`;
    const measured = isCeiling ? value.toFixed(2) : Math.round(value).toLocaleString('en');
    return `| ${nameOf(result.cell)} | ${measured} | ${promised} | ${isMet ? 'met' : 'missed'} |`;
  });
  return ['| operation | measured | budget | |', '|---|--:|---|---|', ...rows].join('\n');
}

function valueOf(result: CellResult, figure: Figure): number {
  const { operations, bytes, seconds } = result;
  switch (figure) {
    case 'CPU-s/GiB':
      return cpuSecondsOf(result) / (bytes / 2 ** 30);
    case 'op/CPU-s':
      return operations / cpuSecondsOf(result);
    case 'keys/s':
      return (operations * LIST_PAGE_KEYS) / seconds;
  }
}
