import type { NodeStatusView } from '../admin/status-schemas.ts'
import { errorMessage, GrapevineError, systemErrorCode } from '../core/errors.ts'

const TIMEOUT_MS = 5000

/** A node's `/api/v1/status`. Throws ADMIN_UNREACHABLE when nothing of ours answers there. */
export async function fetchStatus(adminUrl: string, token: string | undefined): Promise<NodeStatusView> {
  const url = new URL('/api/v1/status', adminUrl)
  let response: Response
  let body: unknown
  try {
    response = await fetch(url, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    })
    body = await response.json()
  } catch (error) {
    throw unreachable(adminUrl, error)
  }
  if (response.status === 401) {
    throw new GrapevineError(
      'ADMIN_UNREACHABLE',
      `${adminUrl} wants its admin token; pass --token or set GRAPEVINE_ADMIN__TOKEN`,
    )
  }
  if (!response.ok || typeof body !== 'object' || body === null || !('cluster' in body)) {
    throw new GrapevineError(
      'ADMIN_UNREACHABLE',
      `${adminUrl} answers (HTTP ${response.status}), but not as a Grapevine node; check --admin`,
    )
  }
  return body as NodeStatusView
}

function unreachable(adminUrl: string, error: unknown): GrapevineError {
  const cause = error instanceof Error ? error.cause : undefined
  const reason = systemErrorCode(cause) ?? errorMessage(cause ?? error)
  return new GrapevineError(
    'ADMIN_UNREACHABLE',
    `no node answers at ${adminUrl} (${reason}); is it running, and is this its admin address? choose another with --admin URL`,
    { cause: error },
  )
}
