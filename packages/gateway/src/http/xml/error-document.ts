import type { S3Error } from '../../s3/s3-error';
import { plainDocument, textElement } from './xml-writer';

export interface ErrorContext {
  /** Path of the request, as the client addressed it. */
  readonly resource: string;
  readonly requestId: string;
  readonly hostId: string;
}

/** `<Error>` with Code, Message, the details of the error, Resource, RequestId and HostId. */
export function errorDocument(error: S3Error, context: ErrorContext): string {
  return plainDocument('Error', [
    textElement('Code', error.code),
    textElement('Message', error.message),
    ...Object.entries(error.detail).map(([name, value]) => textElement(name, value)),
    textElement('Resource', context.resource),
    textElement('RequestId', context.requestId),
    textElement('HostId', context.hostId),
  ]);
}
