/** The namespace of every S3 document except errors. */
const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const XSI_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance';
const CONTROL_NAMESPACE = 'http://awss3control.amazonaws.com/doc/2018-08-20/';
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/**
 * Rendered XML. Only the functions below make it, and the entries of a listing, so that every text
 * passes the escaping once.
 */
export interface XmlFragment {
  readonly xml: string;
}

/** One element with text in it. Names are constants of the code, never input. */
export function textElement(name: string, value: string | number | boolean): XmlFragment {
  const text = typeof value === 'string' ? escapeXml(value) : String(value);
  return { xml: `<${name}>${text}</${name}>` };
}

/** Like `textElement`, or nothing when `value` is null. */
export function optionalElement(
  name: string,
  value: string | number | boolean | null,
): XmlFragment | null {
  return value === null ? null : textElement(name, value);
}

/** One element with elements in it; nulls are left out. */
export function element(name: string, children: readonly (XmlFragment | null)[]): XmlFragment {
  return { xml: `<${name}>${render(children)}</${name}>` };
}

/** An element with `xsi:type`, a constant of the code as well: grantees of an ACL. */
export function elementOfType(
  name: string,
  type: string,
  children: readonly (XmlFragment | null)[],
): XmlFragment {
  const attributes = `xmlns:xsi="${XSI_NAMESPACE}" xsi:type="${type}"`;
  return { xml: `<${name} ${attributes}>${render(children)}</${name}>` };
}

/** A whole S3 response document. */
export function xmlDocument(name: string, children: readonly (XmlFragment | null)[]): string {
  return `${DECLARATION}<${name} xmlns="${S3_NAMESPACE}">${render(children)}</${name}>`;
}

/** A whole response document of S3 Control. */
export function controlDocument(name: string, children: readonly (XmlFragment | null)[]): string {
  return `${DECLARATION}<${name} xmlns="${CONTROL_NAMESPACE}">${render(children)}</${name}>`;
}

/** A whole S3 response document of one element with text, such as LocationConstraint. */
export function textDocument(name: string, value: string): string {
  return `${DECLARATION}<${name} xmlns="${S3_NAMESPACE}">${escapeXml(value)}</${name}>`;
}

/** Error documents carry no namespace. */
export function plainDocument(name: string, children: readonly (XmlFragment | null)[]): string {
  return `${DECLARATION}<${name}>${render(children)}</${name}>`;
}

function render(children: readonly (XmlFragment | null)[]): string {
  let text = '';
  for (const child of children) if (child !== null) text += child.xml;
  return text;
}

const NAMED: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&apos;'],
]);

const ESCAPED = /[&<>"'\u0000-\u0008\u000b-\u001f\ufffe\uffff]/;
const ALL_ESCAPED = new RegExp(ESCAPED, 'g');

/**
 * Escapes text. A carriage return would be normalised away by parsers, so it goes out as a
 * reference. Control characters that XML 1.0 cannot hold go out as references too, as AWS does: a
 * strict parser refuses them, which is better than a key that names another object (K-6;
 * `encoding-type=url` is for those).
 */
export function escapeXml(text: string): string {
  // Most texts have nothing to escape, and a test takes a third of the time.
  if (!ESCAPED.test(text)) return text;
  return text.replace(ALL_ESCAPED, (character) => {
    return NAMED.get(character) ?? `&#x${character.charCodeAt(0).toString(16)};`;
  });
}
