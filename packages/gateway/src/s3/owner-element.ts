import type { AccountDirectory } from '../auth/accounts';
import type { XmlFragment } from '../http/xml/xml-writer';
import { element, textElement } from '../http/xml/xml-writer';

/** `<Owner>` or `<Initiator>`; an account that is not known any more is shown by its id alone. */
export function accountElement(
  name: 'Owner' | 'Initiator',
  canonicalId: string,
  accounts: Pick<AccountDirectory, 'byCanonicalId'>,
): XmlFragment {
  const displayName = accounts.byCanonicalId(canonicalId)?.displayName ?? canonicalId;
  return element(name, [textElement('ID', canonicalId), textElement('DisplayName', displayName)]);
}
