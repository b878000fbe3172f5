/**
 * What one session's client publishes, as far as it outlives the packet: QoS 2 publications until the client releases them, and
 * whether what its closed connections published has been accepted by everybody.
 *
 * It routes nothing, and answers no packet. Invariant: of a journaled session a receipt is appended to the journal before the
 * client can be told of it.
 */
import type { ClientId } from '../core/ids.ts'
import type { ReceivedRecord, SessionJournal } from '../core/ports/session-journal.ts'
import type { MessageId } from '../core/publication.ts'

type PublicationsJournal = Pick<SessionJournal, 'putReceived' | 'deleteReceived'>

/** A QoS 2 publication of the client that it has not released. */
export interface Receipt {
  /** Undefined: everybody has it. */
  readonly id: MessageId | undefined
  /** It was taken by an earlier node of the session: sessions here may lack it. Else they got it in the same change. */
  readonly isFromElsewhere?: true
  /** How many have not accepted it yet. */
  readonly acceptance: { readonly outstanding: number }
}

/** Of an earlier life: who had accepted is not known. */
const lost = { outstanding: 1 }

/** The session, as far as it concerns what its client publishes. */
interface Publisher {
  readonly clientId: ClientId
  readonly isJournaled: boolean
}

export class ClientPublications {
  readonly #publisher: Publisher
  readonly #journal: PublicationsJournal
  /** QoS 2 publications of the client between PUBLISH and PUBREL, by packet identifier. */
  readonly #received = new Map<number, Receipt>()
  /** Closed connections whose publications are not accepted by everybody yet. */
  readonly #unsettled = new Set<object>()
  #onSettled: (() => void) | undefined

  constructor(publisher: Publisher, journal: PublicationsJournal) {
    this.#publisher = publisher
    this.#journal = journal
  }

  /** What the journal, or another node, had. */
  restore(received: readonly ReceivedRecord[]): void {
    for (const { packetId, ...receipt } of received)
      this.#received.set(packetId, { ...receipt, acceptance: lost })
  }

  /** What became of a QoS 2 PUBLISH not released yet, of which this one is a duplicate [MQTT-4.3.3-10]. */
  receipt(packetId: number): Receipt | undefined {
    return this.#received.get(packetId)
  }

  /**
   * Notes a QoS 2 PUBLISH of the client, routed under this id, in the same change of the journal with which this node's
   * sessions got it; `acceptance` says whether everybody has it.
   */
  receive(packetId: number, id: MessageId | undefined, acceptance: Receipt['acceptance']): void {
    const before = this.#received.get(packetId)
    this.#received.set(packetId, { id, acceptance })
    const isNews = before === undefined || before.isFromElsewhere === true
    if (isNews && this.#publisher.isJournaled)
      this.#journal.putReceived(this.#publisher.clientId, packetId, id)
  }

  /** PUBREL of the client: its identifier is free. False when it was not in use. */
  releaseReceived(packetId: number): boolean {
    if (!this.#received.delete(packetId)) return false
    if (this.#publisher.isJournaled) this.#journal.deleteReceived(this.#publisher.clientId, packetId)
    return true
  }

  /** A closed connection's publications matter until `settled`. */
  awaitSettlement(connection: object): void {
    this.#unsettled.add(connection)
  }

  settled(connection: object): void {
    this.#unsettled.delete(connection)
    if (this.#unsettled.size > 0) return
    const onSettled = this.#onSettled
    this.#onSettled = undefined
    onSettled?.()
  }

  /** Calls back, at once or later, when everything its closed connections published is accepted; the last call counts. */
  whenSettled(done: () => void): void {
    if (this.#unsettled.size === 0) done()
    else this.#onSettled = done
  }

  /** QoS 2 publications of the client that it has not released, and whether others may lack them. */
  *receipts(): Iterable<ReceivedRecord> {
    for (const [packetId, { id, isFromElsewhere, acceptance }] of this.#received) {
      const isSettled = acceptance.outstanding === 0
      yield isSettled
        ? { packetId, id: undefined }
        : { packetId, id, ...(isFromElsewhere && { isFromElsewhere }) }
    }
  }
}
