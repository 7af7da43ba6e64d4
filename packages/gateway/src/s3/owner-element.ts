import type { S3Request } from '../http/request';
import type { XmlFragment } from '../http/xml/xml-writer';
import { element, textElement } from '../http/xml/xml-writer';

/** `<Owner>` or `<Initiator>`; the caller's own account is shown by its name. */
export function accountElement(
  name: 'Owner' | 'Initiator',
  canonicalId: string,
  principal: S3Request['principal'],
): XmlFragment {
  const displayName = canonicalId === principal.canonicalId ? principal.displayName : canonicalId;
  return element(name, [textElement('ID', canonicalId), textElement('DisplayName', displayName)]);
}
