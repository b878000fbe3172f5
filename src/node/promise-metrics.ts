import type { PromiseStats } from '../../coordination/promises.ts'
import type { Metric } from '../core/ports/node-status.ts'

/** Promises to take nothing from a member that cannot renew its lease (PROTOCOLS section 2.6), asked for and given. */
export function promiseMetrics(stats: Readonly<PromiseStats>): Metric[] {
  const answers = (name: string, answer: string, help: string, read: () => number): Metric => ({
    name: `promise_${name}_total`,
    type: 'counter',
    help,
    labels: { answer },
    read,
  })
  const asked = 'What other members answered; refused: they may take what this node owns.'
  const given = 'What this node answered members that asked it.'
  return [
    {
      name: 'promise_asks_total',
      type: 'counter',
      help: 'Promises asked of other members while the lease could not be renewed, repeats included.',
      read: () => stats.asked,
    },
    answers('ask_answers', 'promised', asked, () => stats.promised),
    answers('ask_answers', 'refused', asked, () => stats.refused),
    answers('questions_answered', 'promised', given, () => stats.given),
    answers('questions_answered', 'refused', given, () => stats.denied),
  ]
}
