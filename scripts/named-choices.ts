/**
 * What an option of a command line picks, by name; all of it without the option.
 *
 * A name that picks nothing is refused: a run of nothing ends as if all were well.
 *
 * @throws RangeError which option, what it says, and what there is
 */
export function namedChoices<Choice extends { readonly name: string }>(
  option: string,
  text: string | undefined,
  choices: readonly Choice[],
  picks: (name: string, text: string) => boolean = (name, wanted) => name === wanted,
): readonly Choice[] {
  if (text === undefined) return choices;
  const picked = choices.filter(({ name }) => picks(name, text));
  if (picked.length > 0) return picked;
  const names = choices.map(({ name }) => `  ${name}\n`).join('');
  throw new RangeError(`--${option} "${text}" picks none of these:\n${names}`);
}

/** A name picks what contains it. */
export function containsName(name: string, text: string): boolean {
  return name.includes(text);
}
