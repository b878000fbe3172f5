import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TlsFiles } from '../../../src/listeners/tls-files.ts'

/** A directory of throw-away certificates made with openssl, valid for two days. */
export class Certificates {
  readonly dir = mkdtempSync(join(tmpdir(), 'grapevine-certificates-'))

  /** A self-signed certificate for 127.0.0.1. */
  make(name: string): TlsFiles {
    const files = { certFile: join(this.dir, `${name}.crt`), keyFile: join(this.dir, `${name}.key`) }
    openssl(
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-keyout', files.keyFile, '-out', files.certFile],
    )
    return files
  }

  /** A copy of the key that needs a passphrase. */
  encrypt(keyFile: string): string {
    const path = `${keyFile}.encrypted`
    openssl('pkey', '-in', keyFile, '-aes256', '-passout', 'pass:secret', '-out', path)
    return path
  }

  remove(): void {
    rmSync(this.dir, { recursive: true })
  }
}

function openssl(...parameters: string[]): void {
  execFileSync('openssl', parameters, { stdio: 'pipe' })
}
