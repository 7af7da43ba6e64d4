/**
 * The whole number that an option of a command line gives.
 *
 * What is no number is refused: a loop up to NaN ends before its first turn, as if all were well.
 *
 * @throws RangeError which option, and what it says
 */
export function wholeNumberOption(name: string, text: string, least: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`--${name} takes a whole number from ${String(least)} on, not "${text}"`);
}
