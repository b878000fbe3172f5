import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { errorMessage, GrapevineError, systemErrorCode } from '../core/errors.ts'
import type { Clock } from '../core/ports/clock.ts'
import type { Logger } from '../core/ports/logger.ts'

/** Paths of PEM files: the certificate with its chain, and its private key, not encrypted. */
export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
}

/**
 * Reads and checks the files, and answers what a TLS server needs. Rejects with TLS_FILES_UNUSABLE naming the configuration
 * key and the path; a certificate that is out of date is only warned of, as clients may not mind.
 */
export async function readTlsFiles(
  { certFile, keyFile }: TlsFiles,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<SecureContextOptions> {
  const cert = await readPem('certFile', certFile)
  const key = await readPem('keyFile', keyFile)
  const certificate = parseCertificate(certFile, cert)
  if (!certificate.checkPrivateKey(parseKey(keyFile, key))) {
    throw unusable(
      'keyFile',
      keyFile,
      `is not the key of the certificate in ${certFile}; give the two that belong together`,
    )
  }
  const options: SecureContextOptions = { cert, key, minVersion: 'TLSv1.2' }
  try {
    createSecureContext(options)
  } catch (error) {
    throw unusable(
      'certFile',
      certFile,
      `is refused by OpenSSL (${errorMessage(error)}); make a new one`,
      error,
    )
  }
  warnIfOutOfDate(certificate, certFile, clock.wallNow(), logger)
  return options
}

async function readPem(key: keyof TlsFiles, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const code = systemErrorCode(error)
    const what =
      code === 'ENOENT'
        ? 'does not exist; give the path of a PEM file'
        : `cannot be read (${code ?? errorMessage(error)}); give the path of a PEM file that this process may read`
    throw unusable(key, path, what, error)
  }
}

function parseCertificate(path: string, pem: Buffer): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (error) {
    throw unusable(
      'certFile',
      path,
      'is not a certificate; give a PEM file that begins with BEGIN CERTIFICATE',
      error,
    )
  }
}

function parseKey(path: string, pem: Buffer): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (error) {
    const what = pem.includes('ENCRYPTED')
      ? 'is encrypted; store the key without a passphrase (openssl pkey -in … -out …)'
      : 'is not a private key; give a PEM file that begins with BEGIN PRIVATE KEY'
    throw unusable('keyFile', path, what, error)
  }
}

function warnIfOutOfDate(certificate: X509Certificate, path: string, nowMs: number, logger: Logger): void {
  const { validFromDate, validToDate } = certificate
  if (nowMs > validToDate.getTime()) {
    logger.warn('the TLS certificate has expired; most clients will refuse it until it is replaced', {
      path,
      expiredAt: validToDate.toISOString(),
    })
  } else if (nowMs < validFromDate.getTime()) {
    logger.warn('the TLS certificate is not valid yet; check it and the clock of this machine', {
      path,
      validFrom: validFromDate.toISOString(),
    })
  }
}

function unusable(key: keyof TlsFiles, path: string, what: string, cause?: unknown): GrapevineError {
  return new GrapevineError('TLS_FILES_UNUSABLE', `mqtt.tls.${key}: ${path} ${what}`, { cause })
}
