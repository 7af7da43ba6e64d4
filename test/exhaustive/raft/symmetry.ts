import type { Renaming } from './model-node';

/** Every way to rename the nodes; the first renames nobody. */
export function renamingsOf(ids: readonly string[]): Renaming[] {
  return permutationsOf(ids).map((names) => {
    const byId = new Map(ids.map((id, at) => [id, names[at] ?? id]));
    return (id) => byId.get(id) ?? id;
  });
}

function permutationsOf(ids: readonly string[]): string[][] {
  if (ids.length === 0) return [[]];
  return ids.flatMap((first) =>
    permutationsOf(ids.filter((id) => id !== first)).map((rest) => [first, ...rest]),
  );
}

/**
 * For each renaming 64 bits of what is renamed by it, as two numbers. Those of parts are combined
 * by exclusive or to those of a whole, so parts have to say whose they are.
 */
export function fingerprintOf(
  renamings: readonly Renaming[],
  nameBy: (rename: Renaming) => string,
): Int32Array {
  const hash = new Int32Array(2 * renamings.length);
  for (const [at, rename] of renamings.entries()) {
    const [low, high] = hashOf(nameBy(rename));
    hash[2 * at] = low;
    hash[2 * at + 1] = high;
  }
  return hash;
}

/** The same for all that differ only by names: the least of what the renamings make of it. */
export function leastOf(parts: readonly Int32Array[], seed: number): number {
  const count = parts[0]?.length ?? 0;
  let least = Infinity;
  for (let at = 0; at < count; at += 2) {
    let low = seed;
    let high = 0;
    for (const part of parts) {
      low ^= part[at] as number;
      high ^= part[at + 1] as number;
    }
    // 53 bits: among ten million two that differ are hardly ever taken for one.
    least = Math.min(least, 4294967296 * (high & 0x1fffff) + (low >>> 0));
  }
  return least;
}

function hashOf(text: string): [number, number] {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return [a, b];
}
