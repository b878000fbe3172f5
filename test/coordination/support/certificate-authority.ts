import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Paths of PEM files, as etcd and the node's configuration take them. */
export interface SignedFiles {
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
}

/** A throw-away authority, made with openssl, and what it signs; all in one temporary directory. */
export class CertificateAuthority {
  readonly dir = mkdtempSync(join(tmpdir(), 'grapevine-authority-'))
  readonly caFile = this.path('ca.crt')
  readonly #caKey = this.path('ca.key')

  constructor() {
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-days',
      '2',
      '-subj',
      '/CN=authority',
      '-keyout',
      this.#caKey,
      '-out',
      this.caFile,
    )
  }

  /** A certificate for `altName`, like `IP:127.0.0.1`, good for servers and clients. */
  sign(name: string, altName: string): SignedFiles {
    const files = {
      caFile: this.caFile,
      certFile: this.path(`${name}.crt`),
      keyFile: this.path(`${name}.key`),
    }
    const request = this.path(`${name}.csr`)
    const extensions = this.path(`${name}.ext`)
    writeFileSync(extensions, `subjectAltName=${altName}\nextendedKeyUsage=serverAuth,clientAuth\n`)
    openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', files.keyFile, '-out', request)
    openssl(
      ...['x509', '-req', '-in', request, '-CA', this.caFile, '-CAkey', this.#caKey, '-CAcreateserial'],
      ...['-days', '2', '-extfile', extensions, '-out', files.certFile],
    )
    return files
  }

  /** Writes a file beside the certificates; answers its path. */
  write(name: string, text: string): string {
    const path = this.path(name)
    writeFileSync(path, text)
    return path
  }

  path(name: string): string {
    return join(this.dir, name)
  }

  remove(): void {
    rmSync(this.dir, { recursive: true })
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

function openssl(...parameters: string[]): void {
  execFileSync('openssl', parameters, { stdio: 'pipe' })
}
