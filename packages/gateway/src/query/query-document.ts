import type { XmlFragment } from '../http/xml/xml-writer';
import { element, textElement } from '../http/xml/xml-writer';
import type { QueryError } from './query-error';

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** `<CreateUserResponse>` with its result, if it has one, and the request id. */
export function queryDocument(
  action: string,
  namespace: string,
  result: readonly (XmlFragment | null)[] | null,
  requestId: string,
): string {
  return document(`${action}Response`, namespace, [
    result === null ? null : element(`${action}Result`, result),
    element('ResponseMetadata', [textElement('RequestId', requestId)]),
  ]);
}

/** `<ErrorResponse>`; its `Type` tells clients whose fault it is. */
export function queryErrorDocument(
  error: QueryError,
  namespace: string,
  requestId: string,
): string {
  return document('ErrorResponse', namespace, [
    element('Error', [
      textElement('Type', error.status < 500 ? 'Sender' : 'Receiver'),
      textElement('Code', error.code),
      textElement('Message', error.message),
    ]),
    textElement('RequestId', requestId),
  ]);
}

function document(
  name: string,
  namespace: string,
  children: readonly (XmlFragment | null)[],
): string {
  const [opening, content] = [`${name} xmlns="${namespace}"`, element(name, children).xml];
  return `${DECLARATION}<${opening}${content.slice(name.length + 1)}`;
}

/** `<Users><member>…</member></Users>` */
export function memberList(
  name: string,
  members: readonly (readonly (XmlFragment | null)[])[],
): XmlFragment {
  return element(
    name,
    members.map((children) => element('member', children)),
  );
}

/** `<PolicyNames><member>text</member></PolicyNames>` */
export function textList(name: string, texts: readonly string[]): XmlFragment {
  return element(
    name,
    texts.map((text) => textElement('member', text)),
  );
}

/** `2026-01-02T03:04:05Z` */
export function dateElement(name: string, milliseconds: number): XmlFragment {
  return textElement(name, `${new Date(milliseconds).toISOString().slice(0, 19)}Z`);
}
