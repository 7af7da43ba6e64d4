import type { UploadRecord } from '@azimuth/proto';

import type { AccountDirectory } from '../../auth/accounts';
import type { Principal } from '../../auth/principal';
import type { XmlFragment } from '../../http/xml/xml-writer';
import { element, textElement } from '../../http/xml/xml-writer';
import { accountElement } from '../owner-element';

const ARN_PREFIX = 'arn:';

/** Who began an upload: an account by its root, or one of its users or roles. */
export function initiatorOf({ kind, canonicalId, arn }: Principal): string {
  return kind === 'user' || kind === 'assumed-role' ? arn : canonicalId;
}

/** `<Initiator>`: of a user or role the ARN and the name at its end (M-9). */
export function initiatorElement(
  { owner, initiator = owner }: UploadRecord,
  accounts: AccountDirectory,
): XmlFragment {
  if (!initiator.startsWith(ARN_PREFIX)) return accountElement('Initiator', initiator, accounts);
  const name = initiator.slice(initiator.lastIndexOf('/') + 1);
  return element('Initiator', [textElement('ID', initiator), textElement('DisplayName', name)]);
}
