import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import { errorMessage, GrapevineError, systemErrorCode } from '../../src/core/errors.ts'

/** Paths of PEM files, and of the file that holds the password alone. Each is optional; pairs come together. */
export interface EtcdAccessFiles {
  readonly caFile?: string | undefined
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  readonly username?: string | undefined
  readonly passwordFile?: string | undefined
}

/** With what a node shows itself to etcd, and by what it knows etcd. */
export interface EtcdAccess {
  /** Set when the endpoints are https. */
  readonly tls?: {
    readonly rootCertificate: Buffer
    readonly privateKey?: Buffer
    readonly certChain?: Buffer
  }
  readonly auth?: { readonly username: string; readonly password: string }
}

type FileKey = 'caFile' | 'certFile' | 'keyFile' | 'passwordFile'

/**
 * Reads and checks the files. Rejects with ETCD_FILES_UNUSABLE naming the configuration key, the path and what to do.
 * Without `caFile` the certificate authorities that Node.js ships are trusted.
 */
export async function readEtcdAccess(
  { caFile, certFile, keyFile, username, passwordFile }: EtcdAccessFiles,
  endpoints: readonly string[],
): Promise<EtcdAccess> {
  const isSecure = endpoints.some(endpoint => endpoint.startsWith('https:'))
  const auth =
    username === undefined || passwordFile === undefined
      ? {}
      : { auth: { username, password: await readPassword(passwordFile) } }
  if (!isSecure) return auth
  const rootCertificate =
    caFile === undefined ? Buffer.from(rootCertificates.join('\n')) : await readCertificate('caFile', caFile)
  if (certFile === undefined || keyFile === undefined) return { ...auth, tls: { rootCertificate } }
  const certChain = await readCertificate('certFile', certFile)
  const privateKey = await readKey(keyFile)
  if (!new X509Certificate(certChain).checkPrivateKey(createPrivateKey(privateKey))) {
    throw unusable(
      'keyFile',
      keyFile,
      `is not the key of the certificate in ${certFile}; give the two that belong together`,
    )
  }
  return { ...auth, tls: { rootCertificate, certChain, privateKey } }
}

async function readPassword(path: string): Promise<string> {
  const text = (await read('passwordFile', path)).toString('utf8')
  const password = text.replace(/\r?\n$/, '')
  if (password === '' || /[\r\n]/.test(password)) {
    throw unusable('passwordFile', path, 'must hold the password alone, on one line')
  }
  return password
}

async function readCertificate(key: 'caFile' | 'certFile', path: string): Promise<Buffer> {
  const pem = await read(key, path)
  try {
    // The first of a bundle is looked at; OpenSSL reads the rest.
    new X509Certificate(pem)
    return pem
  } catch (error) {
    throw unusable(
      key,
      path,
      'is not a certificate; give a PEM file that begins with BEGIN CERTIFICATE',
      error,
    )
  }
}

async function readKey(path: string): Promise<Buffer> {
  const pem = await read('keyFile', path)
  try {
    createPrivateKey(pem)
    return pem
  } catch (error) {
    const what = pem.includes('ENCRYPTED')
      ? 'is encrypted; store the key without a passphrase (openssl pkey -in … -out …)'
      : 'is not a private key; give a PEM file that begins with BEGIN PRIVATE KEY'
    throw unusable('keyFile', path, what, error)
  }
}

async function read(key: FileKey, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const code = systemErrorCode(error)
    const what =
      code === 'ENOENT'
        ? 'does not exist; correct the path'
        : `cannot be read (${code ?? errorMessage(error)}); give a file that this process may read`
    throw unusable(key, path, what, error)
  }
}

function unusable(key: FileKey, path: string, what: string, cause?: unknown): GrapevineError {
  return new GrapevineError('ETCD_FILES_UNUSABLE', `coordination.etcd.${key}: ${path} ${what}`, { cause })
}
