/** Rows under headings, columns aligned; numbers to the right. */
export function renderTable(
  headings: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  const cells = [headings, ...rows];
  const widths = headings.map((_heading, column) =>
    Math.max(...cells.map((row) => String(row[column] ?? '').length)),
  );
  return cells.map((row) =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? '';
        return typeof cell === 'number' ? String(cell).padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `1536` → `1.5 KiB`. */
export function renderBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}
