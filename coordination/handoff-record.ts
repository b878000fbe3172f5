import { isNodeId, type ClientId, type FencingToken, type NodeId } from '../src/core/ids.ts'
import { parseRecord } from './member-record.ts'
import { isCount } from './session-channel.ts'

/**
 * What a claimant writes to `handoff/<owner>/…` when it has no link to the owner of a session, about 200 B of JSON on the
 * claimant's lease. The owner's answer replaces it.
 */
export interface HandoffRequest {
  readonly clientId: ClientId
  /** Under which the owner has it, as the record said. */
  readonly token: FencingToken
  /** Nothing of the session's state is wanted. */
  readonly cleanStart: boolean
  /** Nodes to which the claimant has a link: one of them may take the state in between. */
  readonly reaches: readonly NodeId[]
}

const ANSWERS = ['consent', 'moved', 'retry', 'refused'] as const

/**
 * `consent`: the owner serves the session no more and keeps nothing of it. `moved`: a third node owns it now, with its state.
 * `retry`: it is not as the claimant believes, look again. `refused`: it has state that nobody can carry over.
 */
export type HandoffAnswer = (typeof ANSWERS)[number]

/** More are left out of a request. */
const REACHES_MAX = 64

export function encodeHandoffRequest({ clientId, token, cleanStart, reaches }: HandoffRequest): Uint8Array {
  const { epoch, revision } = token
  const fields = { clientId, epoch, revision, cleanStart, reaches: reaches.slice(0, REACHES_MAX) }
  return new TextEncoder().encode(JSON.stringify(fields)).slice()
}

/** Undefined when the value is no request: an answer, or of another version. */
export function decodeHandoffRequest(value: Uint8Array): HandoffRequest | undefined {
  const { clientId, epoch, revision, cleanStart, reaches } = parseRecord(value) ?? {}
  if (typeof clientId !== 'string' || typeof cleanStart !== 'boolean') return undefined
  if (!isCount(epoch) || !isCount(revision) || !isNodeList(reaches)) return undefined
  return { clientId, token: { epoch, revision }, cleanStart, reaches }
}

export function encodeHandoffAnswer(answer: HandoffAnswer): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ answer })).slice()
}

/** Undefined when the value is no answer. */
export function decodeHandoffAnswer(value: Uint8Array): HandoffAnswer | undefined {
  const { answer } = parseRecord(value) ?? {}
  return ANSWERS.find(candidate => candidate === answer)
}

function isNodeList(value: unknown): value is NodeId[] {
  if (!Array.isArray(value) || value.length > REACHES_MAX) return false
  return value.every(item => typeof item === 'string' && isNodeId(item))
}
