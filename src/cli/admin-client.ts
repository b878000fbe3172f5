import { errorMessage, GrapevineError, systemErrorCode } from '../core/errors.ts'
import type { NodeStatusView } from '../admin/status-schemas.ts'

const TIMEOUT_MS = 5000

/** What to ask of a node's admin interface. */
export interface AdminRequest {
  /** With its query. */
  readonly path: string
  /** Default GET. */
  readonly method?: 'GET' | 'POST' | 'DELETE'
  /** Sent as JSON. */
  readonly body?: unknown
  /** A field that every answer of a Grapevine node to this has. */
  readonly mark: string
}

/** A node's admin interface, as the client commands use it. */
export class AdminClient {
  readonly url: string
  readonly #token: string | undefined

  constructor(url: string, token: string | undefined) {
    this.url = url
    this.#token = token
  }

  /** The same operator at another node. */
  at(url: string): AdminClient {
    return new AdminClient(url, this.#token)
  }

  /**
   * The answer as JSON. Throws ADMIN_UNREACHABLE when no node of ours answers there or the token is not right, ADMIN_REFUSED
   * with what the node said when it could not do it, TOPIC_INVALID with what is wrong with a topic or filter.
   */
  async ask<T>({ path, method = 'GET', body, mark }: AdminRequest): Promise<T> {
    let response: Response
    let answer: unknown
    try {
      response = await fetch(new URL(path, this.url), {
        method,
        signal: AbortSignal.timeout(TIMEOUT_MS),
        headers: {
          ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      answer = await response.json()
    } catch (error) {
      throw unreachable(this.url, error)
    }
    if (response.status === 401) {
      throw new GrapevineError(
        'ADMIN_UNREACHABLE',
        `${this.url} wants its admin token; pass --token or set GRAPEVINE_ADMIN__TOKEN`,
      )
    }
    if (response.ok && isObject(answer) && mark in answer) return answer as T
    const fault = faultOf(answer)
    if (fault?.code === 'TOPIC_INVALID') throw new GrapevineError('TOPIC_INVALID', fault.message)
    if (fault !== undefined && fault.code !== 'NOT_FOUND') {
      throw new GrapevineError('ADMIN_REFUSED', `${this.url} says ${fault.code}: ${fault.message}`)
    }
    throw new GrapevineError(
      'ADMIN_UNREACHABLE',
      `${this.url} answers (HTTP ${response.status}), but not as a Grapevine node${fault === undefined ? '' : ' that knows this request; is it an older version?'}; check --admin`,
    )
  }
}

/** A node's `/api/v1/status`. Throws ADMIN_UNREACHABLE when nothing of ours answers there. */
export function fetchStatus(adminUrl: string, token: string | undefined): Promise<NodeStatusView> {
  return new AdminClient(adminUrl, token).ask({ path: '/api/v1/status', mark: 'cluster' })
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** What a node of ours says when it refuses. */
function faultOf(answer: unknown): { readonly code: string; readonly message: string } | undefined {
  if (!isObject(answer) || !('error' in answer) || !isObject(answer.error)) return undefined
  const { code, message } = answer.error as { code?: unknown; message?: unknown }
  return typeof code === 'string' && typeof message === 'string' ? { code, message } : undefined
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
