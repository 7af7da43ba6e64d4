import type { XmlFragment } from '../http/xml/xml-writer';
import { textElement } from '../http/xml/xml-writer';
import { validationError } from './query-error';
import type { QueryParameters } from './query-parameters';

const PAGE_ITEMS_DEFAULT = 100;
const PAGE_ITEMS_MAX = 1_000;
const MARKER = { lengthMax: 1_024, pattern: /^[\u0020-\u00ff]+$/ };

export interface Page<Item> {
  readonly items: readonly Item[];
  /** `IsTruncated`, and `Marker` when there is more. */
  readonly elements: readonly (XmlFragment | null)[];
}

/**
 * One page by `Marker` and `MaxItems`. A marker names the last item that was sent, so that pages
 * stay right while others are added and removed.
 *
 * @param all ascending by name.
 * @throws QueryError ValidationError
 */
export function pageOf<Item>(
  all: readonly Item[],
  nameOf: (item: Item) => string,
  parameters: QueryParameters,
): Page<Item> {
  const itemsMax = parameters.optionalInteger('MaxItems', 1, PAGE_ITEMS_MAX) ?? PAGE_ITEMS_DEFAULT;
  const marker = parameters.optionalText('Marker', MARKER);
  const after = marker === null ? null : decodeMarker(marker);
  const rest = after === null ? all : all.filter((item) => nameOf(item) > after);
  const items = rest.slice(0, itemsMax);
  const last = items.at(-1);
  const isTruncated = rest.length > items.length && last !== undefined;
  return {
    items,
    elements: [
      textElement('IsTruncated', isTruncated),
      isTruncated
        ? textElement('Marker', Buffer.from(nameOf(last), 'utf8').toString('base64url'))
        : null,
    ],
  };
}

function decodeMarker(marker: string): string {
  const name = Buffer.from(marker, 'base64url').toString('utf8');
  if (Buffer.from(name, 'utf8').toString('base64url') === marker) return name;
  throw validationError('Marker', marker, 'be a marker that an earlier page returned');
}
