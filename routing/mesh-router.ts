import type { Acceptance, Forwarder, PublishRouter, RemoteIndex } from '../src/core/ports/routing.ts'
import type { Publication } from '../src/core/publication.ts'
import type { LocalRouter } from './local-router.ts'

/** Routes a client's PUBLISH: to this node's sessions, and to every node that may have a subscriber. One hop at most. */
export class MeshRouter implements PublishRouter {
  readonly #local: LocalRouter
  readonly #remote: Pick<RemoteIndex, 'match'>
  readonly #forwarder: Pick<Forwarder, 'forward'>

  constructor(local: LocalRouter, remote: Pick<RemoteIndex, 'match'>, forwarder: Pick<Forwarder, 'forward'>) {
    this.#local = local
    this.#remote = remote
    this.#forwarder = forwarder
  }

  publish(publication: Publication, acceptance: Acceptance | undefined): void {
    const storeSequence = this.#local.deliver(publication)
    if (storeSequence > 0) acceptance?.requireCommitted(storeSequence)
    const nodes = this.#remote.match(publication.topic)
    for (let i = 0; i < nodes.length; i++) {
      this.#forwarder.forward(nodes[i] as string, publication, acceptance)
    }
  }

  deliverLocally(publication: Publication): void {
    this.#local.deliver(publication)
  }
}
