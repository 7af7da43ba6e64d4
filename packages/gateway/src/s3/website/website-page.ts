import { escapeXml } from '../../http/xml/xml-writer';
import type { S3Error } from '../s3-error';

export interface PageContext {
  readonly requestId: string;
  readonly hostId: string;
  /** Why the error document of the website is not shown; null unless it was looked for. */
  readonly customError: S3Error | null;
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  412: 'Precondition Failed',
  416: 'Requested Range Not Satisfiable',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
};

/** The page that AWS shows to readers of a website instead of an XML document. */
export function errorPage(error: S3Error, context: PageContext): string {
  const title = `${error.status} ${REASONS[error.status] ?? 'Error'}`;
  const items = [
    `<li>Code: ${error.code}</li>`,
    `<li>Message: ${escapeXml(error.message)}</li>`,
    ...Object.entries(error.detail).map(
      ([name, value]) => `<li>${name}: ${escapeXml(String(value))}</li>`,
    ),
    `<li>RequestId: ${context.requestId}</li>`,
    `<li>HostId: ${context.hostId}</li>`,
  ];
  return [
    '<html>',
    `<head><title>${title}</title></head>`,
    '<body>',
    `<h1>${title}</h1>`,
    '<ul>',
    ...items,
    '</ul>',
    ...(context.customError === null ? [] : customErrorLines(context.customError)),
    '<hr/>',
    '</body>',
    '</html>',
    '',
  ].join('\n');
}

function customErrorLines({ code, message }: S3Error): readonly string[] {
  return [
    '<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>',
    '<ul>',
    `<li>Code: ${code}</li>`,
    `<li>Message: ${escapeXml(message)}</li>`,
    '</ul>',
  ];
}

/** The body of a redirect, for clients that do not follow it. */
export function redirectPage(statusCode: number, location: string): string {
  return `<html>\n<head><title>${statusCode}</title></head>\n<body>\n<a href="${escapeXml(location)}">${escapeXml(location)}</a>\n</body>\n</html>\n`;
}
