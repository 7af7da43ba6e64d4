import type { S3Response } from '../../http/response';
import type { WebsiteConfiguration } from '../bucket-configuration';
import { REDIRECT_HEADER } from '../object-headers';
import { S3Error, toS3Error } from '../s3-error';
import type { Redirect, WebsiteLocation } from './redirect';
import { encodeKey, encodeText, redirectByRule, redirectOfAll } from './redirect';
import type { PageContext } from './website-page';
import { errorPage, redirectPage } from './website-page';

/** The objects of the website, as whoever asks may read them. Errors as GetObject and HeadObject. */
export interface WebsiteObjects {
  /** Headers alone, whatever conditions the request has. */
  head(key: string): Promise<S3Response>;
  /** What the request asks for: conditions and ranges apply. */
  read(key: string): Promise<S3Response>;
  /** The same without conditions and ranges: error documents. */
  readWhole(key: string): Promise<S3Response>;
}

const FOUND = 302;
const NOT_THERE: ReadonlySet<number> = new Set([403, 404]);

/**
 * One request of a reader: index documents, redirects of the configuration and of objects, and the
 * error document. Everything that goes wrong is a page.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html
 */
export async function answerWebsite(
  website: WebsiteConfiguration,
  at: WebsiteLocation,
  objects: WebsiteObjects,
  page: Omit<PageContext, 'customError'>,
): Promise<S3Response> {
  if (website.redirectAll !== null) return redirect(redirectOfAll(website.redirectAll, at));
  const early = redirectByRule(website.routingRules, at, null);
  if (early !== null) return redirect(early);
  try {
    return await answerObject(website, at, objects);
  } catch (thrown) {
    const error = toS3Error(thrown);
    if (error.status < 400) throw error;
    const late = redirectByRule(website.routingRules, at, error.status);
    if (late !== null) return redirect(late);
    return answerError(error, website, objects, page);
  }
}

async function answerObject(
  website: WebsiteConfiguration,
  at: WebsiteLocation,
  objects: WebsiteObjects,
): Promise<S3Response> {
  const suffix = website.indexSuffix ?? '';
  const isFolder = at.key === '' || at.key.endsWith('/');
  const key = isFolder ? at.key + suffix : at.key;
  try {
    const { headers = {} } = await objects.head(key);
    const elsewhere = headers[REDIRECT_HEADER];
    if (elsewhere !== undefined) {
      return redirect({ statusCode: 301, location: encodeText(elsewhere) });
    }
  } catch (error) {
    const s3Error = toS3Error(error);
    if (isFolder || !NOT_THERE.has(s3Error.status)) throw error;
    // `docs` may be meant as the folder `docs/`, whose index document is then shown.
    if (!(await exists(`${key}/${suffix}`, objects))) throw error;
    return redirect({ statusCode: FOUND, location: `${at.basePath}${encodeKey(key)}/` });
  }
  return objects.read(key);
}

async function exists(key: string, objects: WebsiteObjects): Promise<boolean> {
  try {
    await objects.head(key);
    return true;
  } catch (error) {
    if (toS3Error(error).status >= 500) throw error;
    return false;
  }
}

async function answerError(
  error: S3Error,
  { errorKey }: WebsiteConfiguration,
  objects: WebsiteObjects,
  page: Omit<PageContext, 'customError'>,
): Promise<S3Response> {
  if (errorKey === null || error.status >= 500)
    return pageOf(error, { ...page, customError: null });
  try {
    const answer = await objects.readWhole(errorKey);
    return { ...answer, status: error.status };
  } catch (thrown) {
    return pageOf(error, { ...page, customError: toS3Error(thrown) });
  }
}

/** An error as a page; its code and message are headers too, as AWS sends them. */
export function pageOf(error: S3Error, context: PageContext): S3Response {
  const { status, headers, code } = error;
  return {
    status,
    headers: { ...headers, 'x-amz-error-code': code, 'x-amz-error-message': oneLine(error) },
    body: {
      kind: 'text',
      contentType: 'text/html; charset=utf-8',
      text: errorPage(error, context),
    },
  };
}

function oneLine({ message }: S3Error): string {
  return message.replace(/[^\x20-\x7e]+/g, ' ');
}

function redirect({ statusCode, location }: Redirect): S3Response {
  return {
    status: statusCode,
    headers: { location },
    body: {
      kind: 'text',
      contentType: 'text/html; charset=utf-8',
      text: redirectPage(statusCode, location),
    },
  };
}

/** The configuration of the bucket. @throws S3Error NoSuchWebsiteConfiguration */
export function requireWebsite(
  website: WebsiteConfiguration | null,
  bucketName: string,
): WebsiteConfiguration {
  if (website === null) {
    throw new S3Error('NoSuchWebsiteConfiguration', { BucketName: bucketName });
  }
  return website;
}
