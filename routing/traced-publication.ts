import type { NodeId } from '../src/core/ids.ts'
import { limits } from '../src/core/limits.ts'
import type { Acceptance, LocalMatch, SharedTarget } from '../src/core/ports/routing.ts'
import type { Publication } from '../src/core/publication.ts'
import { encodePublish } from './forward-codec.ts'
import type { OpenSpan } from './open-span.ts'

/** What is sent instead of an untraced forward. */
export interface TracedForward {
  readonly frame: Uint8Array
  readonly acceptance: Acceptance | undefined
  /** To be called at QoS 0, which nobody accepts. */
  done(isSent: boolean): void
}

/** A publication whose way is being followed, on one node: at its ingress, or where it was forwarded to. */
export class TracedPublication {
  readonly span: OpenSpan
  readonly #newForward: (nodeId: NodeId, target: SharedTarget | undefined) => OpenSpan

  constructor(span: OpenSpan, newForward: (nodeId: NodeId, target: SharedTarget | undefined) => OpenSpan) {
    this.span = span
    this.#newForward = newForward
  }

  /** It was given to these subscribers, but not to its publisher where that has No Local. */
  delivered(matches: readonly LocalMatch[], publisher: string): void {
    const names: string[] = []
    let clients = 0
    for (const { subscriber, noLocal } of matches) {
      if (noLocal && publisher !== '' && subscriber.clientId === publisher) continue
      clients++
      if (names.length < limits.traceClientsMax) names.push(subscriber.clientId)
    }
    this.span.event('delivered', { clients, names: names.join(', ') })
  }

  /** It was given to one member of a shared subscription. */
  deliveredToMember(clientId: string, { group, filter }: SharedTarget): void {
    this.span.event('delivered', { clients: 1, names: clientId, group, filter })
  }

  /** It is sent to a node, in a frame of its own, since each forward has its own place in the trace. */
  forward(
    nodeId: NodeId,
    publication: Publication,
    target: SharedTarget | undefined,
    acceptance: Acceptance | undefined,
  ): TracedForward {
    const span = this.#newForward(nodeId, target)
    return {
      frame: encodePublish(publication, target, span.context),
      acceptance: publication.qos === 0 ? undefined : new TracedAcceptance(acceptance, span),
      done: isSent => {
        span.event(isSent ? 'sent' : 'dropped')
        span.end()
      },
    }
  }
}

/** Tells a span what an acceptance is told, and hands it on. */
class TracedAcceptance implements Acceptance {
  readonly #acceptance: Acceptance | undefined
  readonly #span: OpenSpan

  constructor(acceptance: Acceptance | undefined, span: OpenSpan) {
    this.#acceptance = acceptance
    this.#span = span
  }

  get sendAfter(): number {
    return this.#acceptance?.sendAfter ?? 0
  }

  expect(): void {
    this.#acceptance?.expect()
  }

  settle(): void {
    this.#span.event('accepted')
    this.#span.end()
    this.#acceptance?.settle()
  }

  requireCommitted(storeSequence: number): void {
    this.#span.event('stored') // in the outbox: nobody waits for the peer any more
    this.#span.end()
    this.#acceptance?.requireCommitted(storeSequence)
  }
}
