import type { S3Request } from '../http/request';
import type { XmlFragment } from '../http/xml/xml-writer';
import { element, textElement } from '../http/xml/xml-writer';

/** `<Owner>` or `<Initiator>`; the caller's own account is shown by its name. */
export function accountElement(
  name: 'Owner' | 'Initiator',
  accountId: string,
  principal: S3Request['principal'],
): XmlFragment {
  const displayName = accountId === principal.accountId ? principal.displayName : accountId;
  return element(name, [textElement('ID', accountId), textElement('DisplayName', displayName)]);
}
